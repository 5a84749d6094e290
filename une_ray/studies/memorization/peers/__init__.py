"""What others do against memorisation, to be measured beside the mitigations of `token_rows`. One paper a file."""
