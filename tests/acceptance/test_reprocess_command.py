"""`nova reprocess` on a running stack: interrupted, resumed and filtered."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from api.cli.errors import EXIT_INTERRUPTED
from api.stack.local import LocalStack
from tests.acceptance.app import App
from tests.acceptance.commands import NOVA, bare_environ, run_nova
from tests.acceptance.older_recipes import pretend_older
from tests.api.stack.running import wait_until
from transcoder.jobs.reprocess_run import MOST_WAITING

# More than a run queues at once, so an interrupted run never reaches the last.
POSTS = MOST_WAITING + 30
A_FEW = 4
WITHIN_SECONDS = 60

_REPROCESSED = """
SELECT originator_id::text, notification_id FROM post_events
WHERE topic = 'post.reprocessed' AND originator_id = ANY (%s::uuid[])
ORDER BY notification_id
"""
_PUBLISHED = """
SELECT notification_id FROM post_events
WHERE topic = 'post.published' AND originator_id = %s
"""


@pytest.fixture
def other_app(stack: LocalStack) -> Iterator[App]:
    """An app of another user."""
    with httpx.Client(base_url=stack.url, timeout=30) as http:
        yield App(http, secret=stack.environ["JWT_SECRET"])


class Log:
    """The events of these posts."""

    def __init__(self, running: LocalStack, posts: list[str]) -> None:
        self._url = running.environ["DATABASE_URL"]
        self._posts = posts

    def reprocessed(self) -> list[str]:
        """The posts that were reprocessed, each as often as it was."""
        return [post_id for post_id, _ in self._rows(_REPROCESSED, self._posts)]

    def last_reprocessed(self) -> int:
        """The position of the last `post.reprocessed`."""
        position: int = self._rows(_REPROCESSED, self._posts)[-1][1]
        return position

    def publication(self, post_id: str) -> int:
        """The position of the `post.published` of a post."""
        [(position,)] = self._rows(_PUBLISHED, post_id)
        return int(position)

    def _rows(self, statement: str, parameter: object) -> list[Any]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(statement.encode(), [parameter]).fetchall()


@contextmanager
def reprocessing(running: LocalStack, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run the verb, and kill it if it is still running after the block."""
    with subprocess.Popen(
        [*NOVA, "reprocess", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**bare_environ(), **running.environ},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def reprocess(running: LocalStack, *words: str) -> str:
    """Run the verb to its end, and return its output."""
    return run_nova("reprocess", *words, **running.environ).stdout.strip()


def published_posts(app: App, photo: bytes, number: int) -> list[str]:
    """Publish so many posts, and return their ids."""
    posts = [app.upload(photo) for _ in range(number)]
    for post_id in posts:
        assert app.wait_until_final(post_id)["status"] == "published"
    return posts


def test_a_run_that_was_interrupted_is_finished_by_the_next_while_live_posts_go_first(
    stack: LocalStack,
    app: App,
    jpeg: bytes,
) -> None:
    posts = published_posts(app, jpeg, POSTS)
    for post_id in posts:
        pretend_older(stack.operators_environ["DATABASE_OWNER_URL"], post_id)
    log = Log(stack, posts)
    user = ("--user", str(app.user_id))

    with reprocessing(stack, *user) as interrupted:
        wait_until(lambda: len(log.reprocessed()) >= A_FEW, seconds=WITHIN_SECONDS)
        interrupted.send_signal(signal.SIGINT)
        _, said = interrupted.communicate(timeout=WITHIN_SECONDS)
    assert interrupted.returncode == EXIT_INTERRUPTED
    assert "Traceback" not in said
    assert len(log.reprocessed()) < POSTS

    with reprocessing(stack, *user, "--json") as finishing:
        [live] = published_posts(app, jpeg, 1)
        told, said = finishing.communicate(timeout=WITHIN_SECONDS)
    assert finishing.returncode == 0, said
    report = json.loads(told)
    assert report["not_reprocessed"] == 0
    assert 0 < report["reprocessed"] < POSTS
    # Each once, although both runs picked it.
    assert sorted(log.reprocessed()) == sorted(posts)
    assert log.publication(live) < log.last_reprocessed()
    assert not Log(stack, [live]).reprocessed()
    for post_id in posts:
        assert app.wait_until_final(post_id)["status"] == "published"
    assert (
        f"Reprocessed 0 of {POSTS + 1} posts, 0 failed."
        in run_nova("reprocess", *user, **stack.environ).stdout
    )


def test_only_posts_of_this_user_since_that_time_are_made_again(
    stack: LocalStack,
    app: App,
    other_app: App,
    jpeg: bytes,
) -> None:
    [before] = published_posts(app, jpeg, 1)
    since = ("--since", datetime.now(UTC).isoformat())
    [after] = published_posts(app, jpeg, 1)
    [of_another] = published_posts(other_app, jpeg, 1)
    posts = [before, after, of_another]
    for post_id in posts:
        pretend_older(stack.operators_environ["DATABASE_OWNER_URL"], post_id)
    user = ("--user", str(app.user_id))
    log = Log(stack, posts)

    assert (
        "Reprocessed 1 of 1 posts, 0 failed."
        in run_nova("reprocess", *since, *user, **stack.environ).stdout
    )
    assert log.reprocessed() == [after]
    assert (
        "Reprocessed 1 of 2 posts, 0 failed."
        in run_nova("reprocess", *since, **stack.environ).stdout
    )
    assert log.reprocessed() == [after, of_another]
    assert (
        "Reprocessed 1 of 2 posts, 0 failed."
        in run_nova("reprocess", *user, **stack.environ).stdout
    )
    assert log.reprocessed() == [after, of_another, before]
