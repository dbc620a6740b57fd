"""Tests of `transcoder.processes`."""
