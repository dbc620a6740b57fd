"""Tests that break the running stack for real, and look at what is left."""
