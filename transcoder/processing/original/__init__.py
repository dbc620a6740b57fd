"""Originals: what a file is and says, before its pixels are decoded."""
