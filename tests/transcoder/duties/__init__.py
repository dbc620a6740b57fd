"""Tests of `transcoder.duties`."""
