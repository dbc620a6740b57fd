"""Tests of `domain.event_store`."""
