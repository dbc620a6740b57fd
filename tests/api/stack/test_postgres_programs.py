"""The programs of the embedded PostgreSQL: those of a folder, or those that come along."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from api.stack.errors import ServersUnavailable
from api.stack.postgres_programs import find_programs


def test_the_programs_of_a_folder_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("initdb", "postgres"):
        (tmp_path / name).touch()
    monkeypatch.setenv("POSTGRES_PROGRAMS", str(tmp_path))
    assert find_programs() == tmp_path


def test_a_folder_without_them_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "postgres").touch()
    monkeypatch.setenv("POSTGRES_PROGRAMS", str(tmp_path))
    with pytest.raises(ServersUnavailable, match=f"POSTGRES_PROGRAMS is {tmp_path}.* no initdb"):
        find_programs()


@pytest.mark.skipif(
    bool(os.environ.get("NOVA_TEST_POSTGRES")), reason="NOVA_TEST_POSTGRES names another server"
)
def test_the_server_of_the_tests_is_of_the_version_of_the_programs(postgres_server: str) -> None:
    program = [str(find_programs() / "postgres"), "--version"]
    named = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    with psycopg.connect(postgres_server) as connection:
        version = connection.info.parameter_status("server_version")
    assert named.split() == ["postgres", "(PostgreSQL)", version]
