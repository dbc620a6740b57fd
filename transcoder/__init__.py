"""Originals in, variants and events out."""
