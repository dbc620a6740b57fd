"""Connections: how many an API process serves, how long, and how much of each it reads."""
