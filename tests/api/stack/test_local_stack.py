"""How a local stack starts, stops, fails and starts again."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import anyio
import pytest

from api.stack.errors import CommandFailed, MissingSettings, PortTaken, ServerDidNotStart
from api.stack.local import local_stack
from domain.settings import WrongSettings
from tests.api.stack.running import (
    API,
    MIGRATE,
    SERVICES,
    children,
    is_running,
    run_stack,
    running_in,
    wait_until,
)

pytestmark = pytest.mark.anyio

# What is given is not started: with both, a stack is our services alone.
GIVEN: Final[Mapping[str, str]] = {
    "DATABASE_URL": "postgresql://somebody@192.0.2.1/db",
    "S3_ENDPOINT_URL": "http://192.0.2.1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
}

RUN_FOR_EVER = """
import sys, time
from pathlib import Path
from typing import Final
from tests.api.stack.running import run_stack
with run_stack(Path(sys.argv[1])) as running:
    print("\\n".join(map(str, running.stack.pids.values())), "up", sep="\\n", flush=True)
    time.sleep(1000)
"""


def test_nothing_outlives_a_stack_that_is_killed_and_the_next_one_starts(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN_FOR_EVER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        pids = [int(line) for line in iter(lambda: _line(victim), "up")]
        assert len(pids) == 5
        victim.kill()
    wait_until(lambda: not any(map(is_running, pids)))
    wait_until(lambda: not running_in(folder))
    # By now, something else may have the process id of the dead server.
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}/postgres\n")
    with run_stack(folder) as again:
        assert set(again.stack.pids) == {"postgres", "seaweedfs", *SERVICES}


def test_an_interrupted_creation_of_the_cluster_is_begun_again(folder: Path) -> None:
    (folder / "postgres.new").mkdir(parents=True)
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    (folder / "postgres.password").write_text("old")
    given = {name: value for name, value in GIVEN.items() if name != "DATABASE_URL"}
    with run_stack(folder, environ=given) as running:
        assert set(running.stack.pids) == {"postgres", *SERVICES}


def test_what_the_environment_provides_is_not_started_and_wins(folder: Path) -> None:
    with run_stack(folder, environ={**GIVEN, "S3_REGION": "eu-north-1"}) as running:
        assert set(running.stack.pids) == set(SERVICES)
        assert running.stack.environ["S3_REGION"] == "eu-north-1"
        assert GIVEN.items() <= running.stack.environ.items()


def test_an_empty_variable_counts_as_not_set(folder: Path) -> None:
    with run_stack(folder, environ={**GIVEN, "S3_BUCKET_NAME": ""}) as running:
        assert running.stack.environ["S3_BUCKET_NAME"] == "nova-photos"


def test_production_names_every_missing_variable(folder: Path) -> None:
    with (
        pytest.raises(MissingSettings) as refused,
        run_stack(folder, environ={"APP_ENV": "production", "S3_BUCKET_NAME": "photos"}),
    ):
        pass
    assert refused.value.names == (
        "DATABASE_URL",
        "CLOUDFRONT_URL",
        "JWT_SECRET",
    )
    assert not folder.exists()


def test_aws_needs_the_name_of_a_bucket_of_ones_own(folder: Path) -> None:
    given = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    with pytest.raises(MissingSettings) as refused, run_stack(folder, environ=given):
        pass
    assert refused.value.names == ("S3_BUCKET_NAME",)


def test_a_port_that_is_taken_is_refused(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortTaken) as refused,
            run_stack(folder, environ={**GIVEN, "APP_PORT": str(port)}),
        ):
            pass
    assert refused.value.port == port


@pytest.mark.parametrize("text", ["http", "0", "70000", "-1"])
def test_what_is_no_port_is_refused_by_the_name_of_its_variable(folder: Path, text: str) -> None:
    with (
        pytest.raises(WrongSettings, match="APP_PORT"),
        run_stack(folder, environ={**GIVEN, "APP_PORT": text}),
    ):
        pass


async def test_a_failed_migration_ends_the_start_with_what_it_said(folder: Path) -> None:
    with pytest.raises(CommandFailed, match="no such column") as failed:
        async with local_stack(
            folder=folder,
            port=None,
            environ=GIVEN,
            report=print,
            services=SERVICES,
            migrate=("/bin/sh", "-c", "echo no such column; exit 3"),
        ):
            pass
    assert failed.value.exit_code == 3
    assert not running_in(folder)


async def test_a_service_that_cannot_start_ends_the_start_with_its_last_words(
    folder: Path,
) -> None:
    reports: list[str] = []
    with pytest.raises(ServerDidNotStart, match="is not set") as failed:
        async with local_stack(
            folder=folder,
            port=None,
            environ=GIVEN,
            report=reports.append,
            services={"api": ("/bin/sh", "-c", "echo JWT_SECRET is not set; exit 1")},
            migrate=MIGRATE,
        ):
            pass
    assert failed.value.name == "api"
    assert [report for report in reports if "exit code 1" in report]


async def test_a_start_that_is_cancelled_leaves_nothing_behind(folder: Path) -> None:
    before = children()
    with anyio.move_on_after(0.7) as scope:
        async with local_stack(
            folder=folder,
            port=None,
            environ={},
            report=print,
            services={"api": ("/bin/sleep", "1000")},
            migrate=MIGRATE,
        ):
            pass
    assert scope.cancelled_caught
    assert children() == before
    assert not running_in(folder)


async def test_an_error_of_the_block_leaves_as_itself(folder: Path) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with local_stack(
            folder=folder,
            port=None,
            environ=GIVEN,
            report=print,
            services={"api": API},
            migrate=MIGRATE,
        ):
            raise LookupError("mine")


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
