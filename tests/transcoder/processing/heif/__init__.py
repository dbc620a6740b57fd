"""Tests of HEIC and AVIF."""
