"""A time limit for every test: without the bound that a test is about, it fails instead of hanging.

pytest-timeout interrupts the test and prints the stack of every thread.
"""

import pytest

from tests.fault_rounds import rounds

# Far above the slowest test on a busy machine.
LIMIT_SECONDS = rounds(3600, brief=300)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Limit each test that has no limit of its own."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LIMIT_SECONDS))
