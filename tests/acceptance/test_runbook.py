"""docs/runbook.md: a stack is broken in each of its ways, and commands must print what it shows.

With `NOVA_WRITE_PAGES` set, their output is written into the page, to be reviewed and committed.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from api.http.authentication.tokens import create_token
from api.http.authentication.users import User
from api.stack import supervisor
from api.stack.local import SERVICES, LocalStack
from api.stack.seaweedfs import S3Access
from projections.follow.projection import PROJECTIONS
from tests.acceptance.app import App
from tests.acceptance.commands import answers
from tests.acceptance.pages import in_essence, run_page
from tests.acceptance.stacks import run_local_stack
from tests.api.stack.running import wait_until
from tests.faults.faulty_store import FaultyStoreThread, faulty_store
from tests.sql import append_poison

PAGE = Path(__file__).parents[2] / "docs" / "runbook.md"
# Long enough to run the commands of the page while the database is down.
DOWN_SECONDS = 8.0
LONG_ENOUGH_SECONDS = 12.0
# Half a minute, as the page promises, plus the start of the database.
TAKEN_UP_WITHIN_SECONDS = 40.0


class Saboteur:
    """Breaks a stack and repairs it. It runs the worker, so that no supervisor restarts it."""

    def __init__(self, stack: LocalStack, store: FaultyStoreThread, app: App, photo: bytes) -> None:
        self.environ = {
            **stack.operators_environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "110",
            "API": f"{stack.url}/api/v1",
            "TOKEN": create_token(stack.environ["JWT_SECRET"], User(id=uuid4(), role="operator")),
            "METRICS": stack.metrics_urls["api"],
        }
        self._stack = stack
        self._store = store
        self._app = app
        self._photo = photo
        self._workers: list[subprocess.Popen[bytes]] = []

    def start_a_worker(self) -> None:
        """Start a worker and wait until the queue is empty."""
        command = [sys.executable, "-m", "api", "worker"]
        self._workers.append(subprocess.Popen(command, env=self.environ))
        wait_until(lambda: self._count("procrastinate_jobs") == 0)

    def stop_the_worker(self) -> None:
        """Stop the worker and upload three photos."""
        self.end()
        self.environ["POST"] = self._upload(3)

    def freeze_the_worker(self) -> None:
        """Freeze the worker while it has work."""
        self._upload(1)
        self._app.wait_until_final(self._upload(1))
        os.kill(self._workers[-1].pid, signal.SIGSTOP)
        self._upload(2)
        time.sleep(LONG_ENOUGH_SECONDS)

    def replace_the_worker(self) -> None:
        """Let another worker take over, then kill the frozen one."""
        frozen = self._workers.pop()
        self.start_a_worker()
        frozen.kill()
        frozen.wait()

    def stop_the_object_store(self) -> None:
        """Stop the store while two posts are being transcoded."""
        opened = [self._app.init(self._photo) for _ in range(2)]
        for each in opened:
            self._app.put(each, self._photo)
        self._workers[-1].send_signal(signal.SIGSTOP)
        for each in opened:
            assert self._app.complete(each).status_code == 202
        self._store.behave("down")
        self._workers[-1].send_signal(signal.SIGCONT)
        failed = "procrastinate_jobs WHERE attempts > 0 AND status = 'todo'"
        wait_until(lambda: self._count(failed) == 2)
        # Half of the time, the next attempt would be running.
        self._workers[-1].send_signal(signal.SIGSTOP)

    def start_the_object_store(self) -> None:
        """Start the store and wait until all posts are published."""
        self._store.behave("healthy")
        self._workers[-1].send_signal(signal.SIGCONT)
        wait_until(lambda: self._count("procrastinate_jobs") == 0)

    def stop_the_database(self) -> None:
        """Kill the database, which stays down for a while."""
        self._upload(1)
        os.kill(self._stack.pids["postgres"], signal.SIGKILL)
        # Its processes outlive it for a moment, with its port open.
        wait_until(lambda: not accepts_connections(self._stack.environ["DATABASE_URL"]))

    def start_the_database(self) -> None:
        """Wait until the database and every process are back."""
        port = int(self._stack.url.rpartition(":")[2])
        wait_until(lambda: answers(port))
        wait_until(lambda: self._count("procrastinate_jobs") == 0, seconds=TAKEN_UP_WITHIN_SECONDS)
        self._seal()

    def start_a_worker_and_seal(self) -> None:
        """Start a worker and seal the log."""
        self.start_a_worker()
        self._seal()

    def stop_the_projection(self) -> None:
        """Append an unreadable event."""
        append_poison(self._stack.operators_environ["DATABASE_OWNER_URL"])
        wait_until(lambda: self._count("projection_failures") == len(PROJECTIONS))
        with psycopg.connect(self._stack.environ["DATABASE_URL"]) as connection:
            row = connection.execute("SELECT position FROM projection_failures").fetchone()
        assert row is not None
        self.environ["POSITION"] = str(row[0])

    def send_a_damaged_photo(self) -> None:
        """Upload half a photo."""
        post_id = self._app.upload(self._photo[: len(self._photo) // 2])
        assert self._app.wait_until_final(post_id)["status"] == "failed"
        self.environ["POST"] = post_id

    def end(self) -> None:
        """Stop all workers."""
        for worker in self._workers:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
            worker.wait(60)
        self._workers.clear()

    def _upload(self, number: int) -> str:
        return [self._app.upload(self._photo) for _ in range(number)][-1]

    def _seal(self) -> None:
        command = [sys.executable, "-m", "api", "audit", "verify", "--seal"]
        subprocess.run(command, env=self.environ, check=True, capture_output=True)

    def _count(self, what: str) -> int:
        # Jobs of posts only, not those of background duties.
        where = "AND" if "WHERE" in what else "WHERE"
        only = f"{where} args ? 'post_id'" if what.startswith("procrastinate") else ""
        with psycopg.connect(self._stack.environ["DATABASE_URL"]) as connection:
            row = connection.execute(f"SELECT count(*) FROM {what} {only}".encode()).fetchone()
        return int(row[0]) if row else 0


def accepts_connections(url: str) -> bool:
    """Whether anything listens where the database did."""
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture
def saboteur(
    seaweedfs_server: S3Access, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Saboteur]:
    """The saboteur of a stack of its own."""
    monkeypatch.setattr(supervisor, "FIRST_BACKOFF_SECONDS", DOWN_SECONDS)
    services = {name: command for name, command in SERVICES.items() if name != "worker"}
    with faulty_store(seaweedfs_server.endpoint_url) as store:
        environ = {
            "S3_ENDPOINT_URL": store.url,
            "S3_BUCKET_NAME": "runbook-photos",
            "AWS_ACCESS_KEY_ID": seaweedfs_server.access_key_id,
            "AWS_SECRET_ACCESS_KEY": seaweedfs_server.secret_access_key,
        }
        with (
            run_local_stack(environ, services=services) as stack,
            httpx.Client(base_url=stack.url, timeout=30) as http,
        ):
            app = App(http, secret=stack.environ["JWT_SECRET"])
            saboteur = Saboteur(stack, store, app, jpeg)
            try:
                yield saboteur
            finally:
                saboteur.end()


def test_the_runbook_shows_what_its_commands_print(saboteur: Saboteur, tmp_path: Path) -> None:
    page = PAGE.read_text()
    first = {
        name: getattr(saboteur, name)
        for name in dir(saboteur)
        if name.startswith(("start_", "stop_", "freeze_", "replace_", "send_"))
    }
    now = run_page(page, folder=tmp_path, environ=saboteur.environ, first=first)
    if "NOVA_WRITE_PAGES" in os.environ:
        PAGE.write_text(now)
    assert in_essence(now) == in_essence(page)
