"""Tests of `transcoder.queue`."""
