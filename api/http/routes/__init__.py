"""The HTTP routes, one module for each thing that clients deal with."""
