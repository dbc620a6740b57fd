"""Tests of the command line's shell."""
