"""Tests of `transcoder`."""
