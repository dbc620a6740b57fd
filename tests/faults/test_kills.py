"""Processes killed, frozen and restarted under load: every accepted post has one end."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Self

import psutil
import psycopg
import pytest

from api.stack.local import LocalStack
from tests.fault_rounds import rounds
from tests.faults.invariants import assert_nothing_lost, history
from tests.faults.patient_app import PatientApp
from tests.faults.processes import working

# A worker counts as stalled after ten seconds; this is longer.
FROZEN_SECONDS = 14.0
HANGING_SECONDS = rounds(25.0, brief=8.0)
BREAKS = rounds(10, brief=3)
BREAKS_AT_MOST = 60
TAKEN_UP_WITHIN_SECONDS = 30.0


class Breaking:
    """Does something to the stack at random instants, a few times, from a thread.

    Goes on until it `was_felt`, since a random instant may find nothing to break.
    """

    def __init__(
        self,
        break_it: Callable[[], None],
        *,
        every: tuple[float, float],
        was_felt: Callable[[], bool] = lambda: True,
    ) -> None:
        self.times = 0
        self._break_it = break_it
        self._every = every
        self._was_felt = was_felt
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    @property
    def goes_on(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        instants = random.Random(4)  # noqa: S311 - instants, not secrets
        while self.times < BREAKS or not (self._was_felt() or self.times >= BREAKS_AT_MOST):
            time.sleep(instants.uniform(*self._every))
            self._break_it()
            self.times += 1


def kill(stack: LocalStack, name: str) -> Callable[[], None]:
    """Kill a process of the stack, if it lives just now."""

    def kill_it() -> None:
        if (pid := stack.pids.get(name)) is not None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    return kill_it


def cut_connections(stack: LocalStack) -> Callable[[], None]:
    """End every connection to the database, in whatever it is."""

    def cut_them() -> None:
        with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    return cut_them


def kill_busy_image_process(stack: LocalStack) -> Callable[[], None]:
    """Kill the one of the worker's children that has just worked most."""

    def kill_it() -> None:
        try:
            children = psutil.Process(stack.pids["worker"]).children()
            before = [sum(child.cpu_times()[:2]) for child in children]
            time.sleep(0.03)
            spent = [sum(child.cpu_times()[:2]) for child in children]
            worked = [after - first for after, first in zip(spent, before, strict=True)]
            children[worked.index(max(worked))].kill()
        except (KeyError, ValueError, psutil.NoSuchProcess):
            return

    return kill_it


@pytest.mark.parametrize("name", ["worker", "projector", "api", "postgres", "seaweedfs"])
def test_whatever_is_killed_every_accepted_post_is_published_once(
    stack: LocalStack, app: PatientApp, jpeg: bytes, name: str
) -> None:
    with Breaking(kill(stack, name), every=(0.5, 2.5)) as breaking:
        posts = [app.upload(jpeg) for _ in range(12)]
        while breaking.goes_on:
            posts.append(app.upload(jpeg))
    assert {post["status"] for post in app.final(posts)} == {"published"}
    assert_nothing_lost(stack, posts)


def test_connections_that_are_cut_delay_posts_and_lose_none(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    with Breaking(cut_connections(stack), every=(0.3, 1.0)) as breaking:
        posts = [app.upload(jpeg) for _ in range(12)]
        while breaking.goes_on:
            posts.append(app.upload(jpeg))
    assert {post["status"] for post in app.final(posts)} == {"published"}
    assert_nothing_lost(stack, posts)


def test_posts_whose_image_processes_are_killed_are_published_all_the_same(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    def a_worker_lost_one() -> bool:
        return "renderer_crashed" in stack.log("worker").read_text()

    breaking_it = kill_busy_image_process(stack)
    with Breaking(breaking_it, every=(0.4, 1.2), was_felt=a_worker_lost_one) as breaking:
        posts = [app.upload(jpeg) for _ in range(20)]
        while breaking.goes_on:
            posts.append(app.upload(jpeg))
    ends = app.final(posts)
    # A photo that meets two of these is taken for the one that breaks them.
    failed = [post["failure"]["code"] for post in ends if post["status"] == "failed"]
    assert set(failed) <= {"renderer_crashed"}
    assert len(failed) <= breaking.times // 2
    assert a_worker_lost_one()
    assert_nothing_lost(stack, posts)


@pytest.mark.parametrize("name", ["seaweedfs", "postgres", "projector"])
def test_what_hangs_for_a_while_delays_posts_and_loses_none(
    stack: LocalStack, app: PatientApp, jpeg: bytes, name: str
) -> None:
    posts = [app.upload(jpeg) for _ in range(4)]
    hanging = psutil.Process(stack.pids[name])
    family = [hanging, *hanging.children(recursive=True)]
    for process in family:
        process.suspend()

    def wake() -> None:
        for process in family:
            process.resume()

    waking = threading.Timer(HANGING_SECONDS, wake)
    waking.start()
    posts += [app.upload(jpeg) for _ in range(4)]
    waking.join()
    assert {post["status"] for post in app.final(posts)} == {"published"}
    assert_nothing_lost(stack, posts)


def test_a_frozen_workers_posts_are_taken_up_and_published_once(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    frozen = stack.pids["worker"]
    posts = [app.upload(jpeg) for _ in range(4)]
    os.kill(frozen, signal.SIGSTOP)
    while not running_jobs(stack):
        # It is to be in the middle of something.
        os.kill(frozen, signal.SIGCONT)
        posts.append(app.upload(jpeg))
        os.kill(frozen, signal.SIGSTOP)
    try:
        posts += [app.upload(jpeg) for _ in range(4)]
        with working(stack):
            started = time.monotonic()
            app.final(posts)
            assert time.monotonic() - started < TAKEN_UP_WITHIN_SECONDS
            time.sleep(max(0, FROZEN_SECONDS - (time.monotonic() - started)))
            os.kill(frozen, signal.SIGCONT)
            time.sleep(2)
            assert_nothing_lost(stack, posts)
    finally:
        os.kill(frozen, signal.SIGCONT)


def running_jobs(stack: LocalStack) -> int:
    """How many posts are worked on just now."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        [(running,)] = connection.execute(
            "SELECT count(*) FROM procrastinate_jobs"
            " WHERE status = 'doing' AND queue_name = 'transcode'"
        ).fetchall()
    return int(running)


def test_fifty_clients_that_complete_at_once_lead_to_one_publication(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    opened = app.init(jpeg)
    app.put(opened, jpeg)
    answers: list[int] = []
    clients = [
        threading.Thread(target=lambda: answers.append(app.complete(opened).status_code))
        for _ in range(50)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert answers == [202] * 50
    app.final([opened["post_id"]])
    assert_nothing_lost(stack, [opened["post_id"]])


def test_nothing_is_published_of_a_post_that_is_deleted_while_it_is_worked_on(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    posts = []
    for pause in (0.0, 0.02, 0.05, 0.08, 0.12, 0.2):
        post_id = app.upload(jpeg)
        time.sleep(pause)
        assert app.ask("DELETE", f"/posts/{post_id}").status_code == 204
        posts.append(post_id)
    time.sleep(1)
    assert_nothing_lost(stack, posts)
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        for post_id in posts:
            assert type(history(connection, post_id)[-1]).__name__ == "PostDeleted"
            assert app.ask("GET", f"/posts/{post_id}").status_code == 404
