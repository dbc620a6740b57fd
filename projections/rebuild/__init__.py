"""Rebuilding read tables beside the live ones, and verifying them."""
