"""The local stack, on real servers and real processes."""
