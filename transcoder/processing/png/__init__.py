"""PNG: what libvips does not read of it."""
