"""Tests of `transcoder.processing`."""
