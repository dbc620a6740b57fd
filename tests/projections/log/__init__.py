"""Tests of `projections.log`."""
