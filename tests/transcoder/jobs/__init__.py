"""Tests of `transcoder.jobs`."""
