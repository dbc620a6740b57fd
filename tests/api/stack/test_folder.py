"""The folder of a stack: its secrets and ports."""

import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.stack.account import allow_reading, allow_traversal
from api.stack.credentials import load_credentials
from api.stack.errors import FolderInUse
from api.stack.folder import StackFolder, is_locked, locked_folder
from api.stack.ports import choose_ports


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    with locked_folder(tmp_path / "new") as folder:
        secret = load_credentials(folder.credentials).jwt_secret
        assert load_credentials(folder.credentials).jwt_secret == secret
        assert stat.S_IMODE(folder.credentials.stat().st_mode) == 0o600


def test_many_that_ask_at_once_get_the_same_secrets(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(load_credentials, [path] * 8))
    assert len(seen) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_free_again_when_its_stack_has_ended(tmp_path: Path) -> None:
    with locked_folder(tmp_path), pytest.raises(FolderInUse), locked_folder(tmp_path):
        pass
    with locked_folder(tmp_path):
        pass


def test_asking_whether_a_stack_runs_keeps_none_from_starting(tmp_path: Path) -> None:
    assert not is_locked(StackFolder(tmp_path))
    with locked_folder(tmp_path) as folder:
        assert is_locked(folder)
    assert not is_locked(folder)
    asks = threading.Event()

    def ask() -> None:
        while not asks.is_set():
            is_locked(folder)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask)
        for _ in range(100):
            with locked_folder(tmp_path):
                pass
        asks.set()


def test_temporary_files_of_the_last_run_are_gone(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "old").mkdir(parents=True)
    with locked_folder(tmp_path) as folder:
        assert not list(folder.temporary.iterdir())


def test_ports_are_kept_from_run_to_run_unless_somebody_took_one(tmp_path: Path) -> None:
    memory = tmp_path / "ports.json"
    first = choose_ports(["a", "b"], memory)
    assert choose_ports(["a", "b"], memory) == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first["a"]))
        taken.listen()
        second = choose_ports(["a", "b"], memory)
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]


def test_an_unreadable_memory_of_ports_is_ignored(tmp_path: Path) -> None:
    memory = tmp_path / "ports.json"
    memory.write_bytes(b"")
    assert set(choose_ports(["a"], memory)) == {"a"}


def test_programs_of_a_strict_umask_become_readable_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    (tmp_path / "bin" / "postgres").touch(mode=0o700)
    (tmp_path / "postgres.bki").touch(mode=0o600)
    allow_reading(tmp_path)
    modes = [(tmp_path / name).stat().st_mode for name in ("bin", "bin/postgres", "postgres.bki")]
    assert [stat.S_IMODE(mode) for mode in modes] == [0o705, 0o705, 0o604]


def test_folders_on_the_way_become_passable_and_that_is_said(folder: Path) -> None:
    reports: list[str] = []
    allow_traversal(folder, reports.append)
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o701
    assert [report for report in reports if str(folder.parent) in report]
