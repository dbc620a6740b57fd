"""Authentication: bearer tokens, upload tokens and the requests they authenticate."""
