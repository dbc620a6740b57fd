"""Acceptance tests: the whole product as its users run it."""
