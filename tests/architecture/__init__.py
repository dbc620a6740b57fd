"""Tests that hold the architecture: who may import whom, and what the documents say of the code."""
