"""Tests of `transcoder.object_store`."""
