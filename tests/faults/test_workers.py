"""Workers in trouble: killed at each stage, with a wrong clock, without a disk, told to stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import LiteralString

import psutil
import psycopg
import pytest
from anyio.from_thread import start_blocking_portal

from api.stack.local import SERVICES, LocalStack, local_stack
from tests.faults.invariants import assert_nothing_lost, history
from tests.faults.patient import PatientApp
from tests.servers import temporary_stack_folder
from tests.stack.running import is_running, wait_until

WORKER = (sys.executable, "-m", "api", "worker")
TAKEN_UP_WITHIN_SECONDS = 30.0
# After which call of which part it dies, and of what: the last one after its post is published.
STAGES = [
    ("transfer", "download", 1, "SIGKILL"),
    ("transfer", "store_variant", 1, "SIGKILL"),
    ("transfer", "store_variant", 2, "SIGKILL"),
    ("transfer", "store_variant", 3, "SIGKILL"),
    ("events", "execute", 1, "SIGKILL"),
    ("events", "execute", 2, "SIGSEGV"),
    ("events", "execute", 3, "SIGKILL"),
    ("run", "run", 1, "SIGKILL"),
]
# A worker that dies by its own hand, once, right after a call that it makes for every post.
DYING = """
import os, pathlib, signal, sys
from transcoder import transcode, transfer, work
from domain.publishing import Publishing

marker, owner, name = pathlib.Path(sys.argv[1]), *sys.argv[2:4]
after, how = int(sys.argv[4]), getattr(signal, sys.argv[5])
owners = {"transfer": transfer.Transfer, "events": work.EventStore, "run": transcode.Transcoding}
original, calls = getattr(owners[owner], name), 0

async def and_die(self, *args, **named):
    global calls
    result = await original(self, *args, **named)
    calls += 1
    if calls == after and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), how)
    return result

setattr(owners[owner], name, and_die)
sys.argv = ["nova", "worker"]
from api.cli import main
main()
"""
SKEWED = """
import sys, time_machine
from datetime import UTC, datetime, timedelta
there = datetime.now(UTC) + timedelta(minutes=float(sys.argv[1]))
time_machine.travel(there, tick=True).start()
sys.argv = ["nova", "worker"]
from api.cli import main
main()
"""
# No file may grow: what a full disk says to whoever writes.
WITHOUT_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.argv = ["nova", "worker"]
from api.cli import main
main()
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A stack without a worker: each test brings its own."""
    services = {name: command for name, command in SERVICES.items() if name != "worker"}
    with temporary_stack_folder() as folder, start_blocking_portal() as portal:
        context = local_stack(
            folder=folder,
            port=None,
            environ={"JOB_QUEUE_CAPACITY": "1000", "WORKER_CONCURRENCY": "1"},
            report=print,
            services=services,
        )
        with portal.wrap_async_context_manager(context) as stack:
            yield stack


@contextmanager
def working(stack: LocalStack, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A worker process, ended with the block."""
    words = command or WORKER
    # Through a pipe, as one of them cannot write files; read at once, as a full one halts it.
    with subprocess.Popen(
        words, env={**os.environ, **stack.environ}, stderr=subprocess.PIPE, text=True
    ) as process:
        said: list[str] = []
        reading = Thread(target=said.extend, args=(process.stderr,))
        reading.start()
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()
                reading.join()
                # Shown with a test that fails.
                sys.stderr.write("".join(said))


def script(source: str, *arguments: str) -> tuple[str, ...]:
    """A command that runs this script."""
    return (sys.executable, "-c", source, *arguments)


def jobs(stack: LocalStack, status: str, *, due: LiteralString = "true") -> set[str]:
    """The posts whose transcode jobs have a status."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT args ->> 'post_id' FROM procrastinate_jobs"
            f" WHERE queue_name = 'transcode' AND status = %s AND ({due})",
            [status],
        ).fetchall()
    return {row[0] for row in found}


def test_a_worker_that_dies_at_any_stage_leaves_its_post_to_the_next_one(
    stack: LocalStack, app: PatientApp, jpeg: bytes, tmp_path: Path
) -> None:
    posts = []
    for number, (owner, name, after, how) in enumerate(STAGES):
        dying = script(DYING, str(tmp_path / str(number)), owner, name, str(after), how)
        with working(stack, *dying) as victim:
            posts.append(app.upload(jpeg))
            assert victim.wait(30) == -getattr(signal, how)
    died = time.monotonic()
    with working(stack):
        assert {post["status"] for post in app.final(posts)} == {"published"}
        assert time.monotonic() - died < TAKEN_UP_WITHIN_SECONDS
        assert_nothing_lost(stack, posts)


def test_workers_whose_clocks_differ_by_minutes_share_a_queue(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    early, late = script(SKEWED, "-7"), script(SKEWED, "7")
    with working(stack, *early), working(stack, *late):
        posts = [app.upload(jpeg) for _ in range(16)]
        app.final(posts)
        # One more of each dies in the middle of its work: neither clock delays who takes over.
        for clock in ("-7", "7"):
            with working(stack, *script(SKEWED, clock)) as victim:
                posts += [app.upload(jpeg) for _ in range(6)]
                wait_until(lambda: bool(jobs(stack, "doing")))
                victim.kill()
        died = time.monotonic()
        app.final(posts)
        assert time.monotonic() - died < TAKEN_UP_WITHIN_SECONDS
        assert {post["status"] for post in app.final(posts)} == {"published"}
        assert_nothing_lost(stack, posts)
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        ends = []
        for events in (history(connection, post_id) for post_id in posts):
            times = [event.recorded_at for event in events]
            # Within a post, time never runs backwards, whoever wrote what.
            assert times == sorted(times)
            ends.append(times[-1] - times[0])
    # Both have worked: some posts seem to have taken seven minutes, others no time.
    assert min(ends) < timedelta(minutes=1) < max(ends)


def test_a_worker_without_a_byte_of_disk_publishes_all_the_same(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    with working(stack, *script(WITHOUT_DISK)):
        posts = [app.upload(jpeg) for _ in range(3)]
        assert {post["status"] for post in app.final(posts)} == {"published"}
    assert_nothing_lost(stack, posts)


def test_a_worker_that_is_told_to_stop_drains_and_the_next_one_goes_on_at_once(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    posts = []
    with working(stack) as first:
        posts += [app.upload(jpeg) for _ in range(3)]
        app.final(posts[:1])
        posts += [app.upload(jpeg) for _ in range(10)]
        wait_until(lambda: bool(jobs(stack, "doing")))
        first.send_signal(signal.SIGTERM)
        running, waiting = jobs(stack, "doing"), jobs(stack, "todo")
        assert first.wait(15) == 0
        assert not jobs(stack, "doing")
        # What ran has ended here, and what waited was not begun, give or take one that was fetched.
        assert not jobs(stack, "todo") & running
        assert len(waiting - jobs(stack, "todo")) <= 1
    with working(stack):
        assert {post["status"] for post in app.final(posts)} == {"published"}
    assert_nothing_lost(stack, posts)


def test_a_job_that_outlasts_the_drain_goes_back_to_the_queue_at_once(
    stack: LocalStack, app: PatientApp, jpeg: bytes, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    endless = f"""
import anyio, pathlib, sys
from transcoder.pool import RenderPool
async def render(self, content, *, content_type):
    pathlib.Path({str(begun)!r}).touch()
    await anyio.sleep_forever()
RenderPool.render = render
sys.argv = ["nova", "worker"]
from api.cli import main
main()
"""
    with working(stack, *script(endless)) as stuck:
        post_id = app.upload(jpeg)
        wait_until(begun.exists)
        stuck.send_signal(signal.SIGTERM)
        assert stuck.wait(15) == 0
    assert jobs(stack, "todo", due="scheduled_at IS NULL OR scheduled_at <= now()") == {post_id}
    with working(stack):
        (post,) = app.final([post_id])
        assert post["status"] == "published"
    assert_nothing_lost(stack, [post_id])


def test_a_worker_without_a_database_stops_when_it_is_told_to(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    with working(stack) as worker:
        app.final([app.upload(jpeg)])
        hanging = psutil.Process(stack.pids["postgres"])
        family = [hanging, *hanging.children(recursive=True)]
        hanging.kill()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        worker.terminate()
        assert worker.wait(30) == 0
    posts = [app.upload(jpeg)]
    with working(stack):
        assert {post["status"] for post in app.final(posts)} == {"published"}
    assert_nothing_lost(stack, posts)


def test_nothing_of_a_worker_is_left_when_it_has_ended(
    stack: LocalStack, app: PatientApp, jpeg: bytes, tmp_path: Path
) -> None:
    environ = {**os.environ, **stack.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(WORKER, env=environ) as worker:
        app.final([app.upload(jpeg) for _ in range(2)])
        image_processes = [child.pid for child in psutil.Process(worker.pid).children()]
        assert image_processes
        worker.kill()
        worker.wait(10)
    wait_until(lambda: not any(map(is_running, image_processes)))
    assert list(tmp_path.iterdir()) == []


def test_a_worker_outlives_its_database_and_goes_on_in_every_lane(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    with working(stack) as worker:
        posts = [app.upload(jpeg) for _ in range(2)]
        app.final(posts)
        for _ in range(2):
            os.kill(stack.pids["postgres"], signal.SIGKILL)
            posts += [app.upload(jpeg) for _ in range(2)]
            assert {post["status"] for post in app.final(posts)} == {"published"}
        app.ask("DELETE", f"/posts/{posts.pop()}")
        with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
            left = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'post.remove_objects'"
            wait_until(lambda: connection.execute(left).fetchone() == (0,))
        assert worker.poll() is None
    assert_nothing_lost(stack, posts)
