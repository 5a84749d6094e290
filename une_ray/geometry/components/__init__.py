"""Principal components: all of them exactly (`exact`), or the leading ones, exactly or nearly (`leading`)."""
