"""Failing workers: killed at each stage, with a wrong clock, without a disk, or stopped."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
import pytest

from api.stack.local import LocalStack
from tests.api.stack.running import is_running, wait_until
from tests.faults.invariants import assert_nothing_lost, history
from tests.faults.patient_app import PatientApp
from tests.faults.processes import dying, jobs, script, stack_without, working
from tests.faults.secret_leaks import CAPTION

TAKEN_UP_WITHIN_SECONDS = 30.0
TRANSFER = "transcoder.object_store.transfer:Transfer"
EVENTS = "transcoder.async_publishing:AsyncPublishing"
# After which call of which part it dies, and of what: the last one after its post is published.
STAGES = [
    (TRANSFER, "download", 1, "SIGKILL"),
    (TRANSFER, "store_variant", 1, "SIGKILL"),
    (TRANSFER, "store_variant", 2, "SIGKILL"),
    (TRANSFER, "store_variant", 3, "SIGKILL"),
    (EVENTS, "execute", 1, "SIGKILL"),
    (EVENTS, "execute", 2, "SIGSEGV"),
    (EVENTS, "execute", 3, "SIGKILL"),
    ("transcoder.jobs.transcode:Transcoding", "run", 1, "SIGKILL"),
]
SKEWED = """
import sys, time_machine
from datetime import UTC, datetime, timedelta
there = datetime.now(UTC) + timedelta(minutes=float(sys.argv[1]))
time_machine.travel(there, tick=True).start()
sys.argv = ["nova", "worker"]
from api.cli.main import main
main()
"""
# No file may grow. A full file system would need a mount, and the rights to make one: EFBIG, which
# every write to a file meets here, stands in for its ENOSPC.
WITHOUT_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.argv = ["nova", "worker"]
from api.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A stack without a worker: each test brings its own."""
    environ = {"JOB_QUEUE_CAPACITY": "1000"}
    with stack_without("worker", environ=environ) as stack:
        yield stack


def test_a_worker_that_dies_at_any_stage_leaves_its_post_to_the_next_one(
    stack: LocalStack, app: PatientApp, jpeg: bytes, tmp_path: Path
) -> None:
    posts = []
    for number, (owner, name, after, how) in enumerate(STAGES):
        marker = tmp_path / str(number)
        command = dying("worker", owner, name, marker=marker, after=after, how=how)
        with working(stack, *command) as victim:
            opened = app.init(jpeg, caption=CAPTION)
            app.put(opened, jpeg)
            app.complete(opened)
            posts.append(opened["post_id"])
            assert victim.wait(60) == -getattr(signal, how)
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
            # Within a post, time never runs backwards, whichever worker wrote an event.
            assert times == sorted(times)
            ends.append(times[-1] - times[0])
    # Neither clock shows: the database's says when.
    assert timedelta(0) < min(ends) <= max(ends) < timedelta(minutes=3)


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
from transcoder.processes.pool import RenderPool
async def render(self, content, *, content_type):
    pathlib.Path({str(begun)!r}).touch()
    await anyio.sleep_forever()
RenderPool.render = render
sys.argv = ["nova", "worker"]
from api.cli.main import main
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
    with working(stack, environ={"TMPDIR": str(tmp_path)}) as worker:
        app.final([app.upload(jpeg) for _ in range(2)])
        image_processes = [child.pid for child in psutil.Process(worker.pid).children()]
        assert image_processes
        worker.kill()
        worker.wait(60)
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
