"""Tests of `projections.follow`."""
