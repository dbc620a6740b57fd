"""Benchmarks: they assert speed, tests assert behaviour."""
