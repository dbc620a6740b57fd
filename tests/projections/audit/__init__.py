"""Tests of `projections.audit`."""
