"""Tests of `projections.log_tree`."""
