"""Limits: what a picture may cost, by its header and while it is rendered."""
