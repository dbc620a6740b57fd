"""JPEG: what its files may be, what in them is damage, and the codec."""
