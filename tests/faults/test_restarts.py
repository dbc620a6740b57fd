"""PostgreSQL restarts again and again under writers: what was acknowledged is there, once."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import psycopg
import pytest
from anyio.from_thread import start_blocking_portal

from api.stack import supervisor
from api.stack.local import LocalStack, local_stack
from tests.fault_rounds import rounds
from tests.faults.writers import lost_of, writing
from tests.servers import temporary_stack_folder

RESTARTS = rounds(100, brief=6)
WRITERS = 16
READY_WITHIN_SECONDS = 30


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    """A durable PostgreSQL that is started again at once, and nothing of ours beside it."""
    monkeypatch.setattr(supervisor, "FIRST_BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr(supervisor, "LONGEST_BACKOFF_SECONDS", 0.05)
    with temporary_stack_folder() as folder, start_blocking_portal() as portal:
        context = local_stack(folder=folder, port=None, environ={}, report=_silent, services={})
        with portal.wrap_async_context_manager(context) as stack:
            yield stack


def _silent(_: str) -> None:
    """A hundred restarts are no news."""


def shut_down(server: psutil.Process) -> None:
    """Stop the server in order."""
    server.send_signal(signal.SIGINT)


def abort(server: psutil.Process) -> None:
    """Stop the server at once; what is in its memory only is lost."""
    server.send_signal(signal.SIGQUIT)


def kill_all(server: psutil.Process) -> None:
    """Kill the server and all its processes, as a machine does that stops."""
    for process in (server, *server.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            process.kill()


STOPS = (kill_all, abort, kill_all, shut_down)


def wait_ready(url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "PostgreSQL does not come back"
            time.sleep(0.02)
        else:
            return


def test_no_acknowledged_event_is_lost_however_often_the_server_restarts(
    stack: LocalStack,
) -> None:
    url = stack.environ["DATABASE_URL"]
    instants = random.Random(5)  # noqa: S311 - instants, not secrets
    with writing(url, WRITERS) as acknowledged:
        for restart in range(RESTARTS):
            time.sleep(instants.uniform(0.1, 0.5))
            STOPS[restart % len(STOPS)](psutil.Process(stack.pids["postgres"]))
            time.sleep(0.05)
            wait_ready(url)
    lost = lost_of(acknowledged, url)
    print(f"{RESTARTS} restarts, {len(acknowledged)} events acknowledged, {len(lost)} lost")  # noqa: T201 - a figure
    assert not lost
    assert len(acknowledged) > RESTARTS
