"""HTTP delivery, the command line and the local all-in-one stack."""
