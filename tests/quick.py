"""A pytest plugin, `-p tests.quick`: run only what needs no server.

A test needs one if it requests a server's fixture, or if it lives in a folder whose tests start
servers or image processes.
"""

from pathlib import Path
from typing import Final

import pytest

_SERVERS: Final = frozenset({"postgres_server", "seaweedfs_server"})
_ROOT: Final = Path(__file__).parent
_FOLDERS: Final = tuple(
    _ROOT / name for name in ("acceptance", "faults", "api/stack", "transcoder/processes")
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect every test that needs a server."""
    kept = [item for item in items if not needs_a_server(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def needs_a_server(item: pytest.Item) -> bool:
    """Whether a test starts PostgreSQL, an object store, image processes or the whole stack."""
    requested = set(item.fixturenames) if isinstance(item, pytest.Function) else set()
    return bool(_SERVERS & requested) or any(item.path.is_relative_to(path) for path in _FOLDERS)
