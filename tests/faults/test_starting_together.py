"""Eight processes start at the same moment, on an empty database and on a full one: all start."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest

from api.stack.ports import choose_ports
from api.stack.seaweedfs import S3Access
from projections.follow.projection import PROJECTIONS
from tests.acceptance.commands import answers, bare_environ
from tests.api.stack.running import wait_until
from tests.fault_rounds import rounds
from tests.projections.long_log import EVENTS_PER_POST, fill

TIMES = rounds(6, brief=1)
VERBS = ("api", "worker", "projector", "worker", "projector", "api", "projector", "worker")
WORKERS = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '5 s'"
# A projector has a connection for each projection.
FOLLOWERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'nova projector@%'
"""
Commands: TypeAlias = Sequence[tuple[str, Mapping[str, str]]]


@pytest.fixture
def environ(empty_database_url: str, seaweedfs_server: S3Access) -> dict[str, str]:
    """What an operator sets."""
    return {
        **bare_environ(),
        "DATABASE_URL": empty_database_url,
        "S3_BUCKET_NAME": "started-photos",
        "S3_ENDPOINT_URL": seaweedfs_server.endpoint_url,
        "AWS_ACCESS_KEY_ID": seaweedfs_server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": seaweedfs_server.secret_access_key,
        "JWT_SECRET": "a secret that is long enough for anybody",
        "WORKER_CONCURRENCY": "1",
        "APP_SHUTDOWN_DELAY_SECONDS": "0",
    }


@contextmanager
def started(
    commands: Commands,
) -> Iterator[list[subprocess.Popen[str]]]:
    """All of these at the same moment; those that are left at the end are killed."""
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "api", verb],
                    env=environ,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for verb, environ in commands
        ]
        try:
            yield processes
        finally:
            for process in processes:
                # Do not wait for ever for one that does not stop.
                process.kill()


def test_eight_migrations_at_once_make_one_database(environ: dict[str, str]) -> None:
    with started([("migrate", environ)] * 8) as processes:
        for process in processes:
            _, said = process.communicate(timeout=120)
            assert process.returncode == 0, said


@pytest.mark.parametrize("posts", [0, 500])
def test_eight_processes_at_once_all_start_and_all_stop(
    environ: dict[str, str], tmp_path: Path, posts: int
) -> None:
    with started([("migrate", environ)]) as (migrating,):
        assert migrating.wait(60) == 0
    fill(environ["DATABASE_URL"], posts * EVENTS_PER_POST)
    for _ in range(TIMES):
        ports = choose_ports([verb + str(at) for at, verb in enumerate(VERBS)], tmp_path / "ports")
        commands = [
            (verb, {**environ, "APP_PORT": str(port)})
            for verb, port in zip(VERBS, ports.values(), strict=True)
        ]
        with started(commands) as processes:
            wait_for(commands)
            for process in processes:
                process.terminate()
            for process in processes:
                _, said = process.communicate(timeout=30)
                assert process.returncode in {0, -signal.SIGTERM}, said
                assert "Traceback" not in said


def wait_for(commands: Commands) -> None:
    """Until each of them is known to work."""
    environ = commands[0][1]
    apis = [int(given["APP_PORT"]) for verb, given in commands if verb == "api"]
    wait_until(lambda: all(map(answers, apis)))
    wait_until(lambda: counted(environ, WORKERS) >= VERBS.count("worker"))
    followers = VERBS.count("projector") * len(PROJECTIONS)
    wait_until(lambda: counted(environ, FOLLOWERS) >= followers)


def counted(environ: Mapping[str, str], question: str) -> int:
    """A number from the database."""
    with psycopg.connect(environ["DATABASE_URL"]) as connection:
        row = connection.execute(question.encode()).fetchone()
    return int(row[0]) if row else 0
