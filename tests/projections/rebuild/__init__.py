"""Tests of `projections.rebuild`."""
