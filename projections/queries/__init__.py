"""Queries that the API and operators run on the read tables."""
