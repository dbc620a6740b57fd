"""A pytest plugin, `-p tests.quick`: run what needs no server, in under a minute.

A test needs one if it requests a server's fixture, or if it lives in a folder whose tests start
servers or image processes. Sweeps over many images are left out for their time.
"""

from pathlib import Path
from typing import Final

import pytest

_SERVERS: Final = frozenset({"postgres_server", "seaweedfs_server"})
_ROOT: Final = Path(__file__).parent
_FOLDERS: Final = tuple(
    _ROOT / name for name in ("acceptance", "faults", "api/stack", "transcoder/processes")
)


_SWEEPS: Final = frozenset({"test_fidelity.py", "test_hostile_files.py"})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect every test that needs a server or a minute."""
    kept = [item for item in items if not (needs_a_server(item) or item.path.name in _SWEEPS)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def needs_a_server(item: pytest.Item) -> bool:
    """Whether a test starts PostgreSQL, an object store, image processes or the whole stack."""
    requested = set(item.fixturenames) if isinstance(item, pytest.Function) else set()
    return bool(_SERVERS & requested) or any(item.path.is_relative_to(path) for path in _FOLDERS)
