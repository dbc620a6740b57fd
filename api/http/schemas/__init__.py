"""Schemas: what clients send and receive, exactly."""
