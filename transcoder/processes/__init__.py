"""Image processes: sandboxed children that decode and encode."""
