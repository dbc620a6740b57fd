"""Observability: correlation ids, request metrics, traces and log lines."""
