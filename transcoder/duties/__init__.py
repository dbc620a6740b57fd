"""Background duties, one module each."""
