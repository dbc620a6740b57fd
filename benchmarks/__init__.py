"""Benchmarks: they assert speed, tests assert behaviour."""

import pytest

# The plugins of conftest.py, which imports one of them before pytest does.
pytest.register_assert_rewrite("tests.servers", "tests.databases")
