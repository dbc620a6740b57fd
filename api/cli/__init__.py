"""The `nova` command line: the shell, and one module for each group of verbs."""
