"""Principal components, in one place: all of them exactly (`exact`), or the leading ones, exactly or nearly (`leading`)."""
