"""Limits: how much of the service one user or one address gets."""
