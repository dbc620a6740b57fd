"""`nova reprocess` on a running stack: it may be interrupted, and makes again what it is told."""

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

from api.cli.explained import EXIT_INTERRUPTED
from api.cli.reprocess import MOST_WAITING
from api.stack.local import LocalStack
from tests.acceptance.app import App
from tests.acceptance.commands import NOVA, bare_environ, run_nova
from tests.acceptance.older_recipes import pretend_older
from tests.api.stack.running import wait_until

# More than a run queues at once, so that an interrupted one has never got to the last.
POSTS = MOST_WAITING + 30
A_FEW = 4
WITHIN_SECONDS = 60

_RENEWED = """
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
    """What the log of a stack tells of these posts."""

    def __init__(self, running: LocalStack, posts: list[str]) -> None:
        self._url = running.environ["DATABASE_URL"]
        self._posts = posts

    def renewed(self) -> list[str]:
        """Those that were made again, as often as they were."""
        return [post_id for post_id, _ in self._rows(_RENEWED, self._posts)]

    def last_renewal(self) -> int:
        """The position of the last one that was made again."""
        position: int = self._rows(_RENEWED, self._posts)[-1][1]
        return position

    def publication(self, post_id: str) -> int:
        """The position at which a post was published."""
        [(position,)] = self._rows(_PUBLISHED, post_id)
        return int(position)

    def _rows(self, statement: str, parameter: object) -> list[Any]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(statement.encode(), [parameter]).fetchall()


@contextmanager
def reprocessing(running: LocalStack, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The verb at work, which is killed if it does not end within the block."""
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


def published_posts(app: App, photo: bytes, number: int) -> list[str]:
    """The ids of so many posts."""
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
        pretend_older(stack.environ["DATABASE_URL"], post_id)
    log = Log(stack, posts)
    user = ("--user", str(app.user_id))

    with reprocessing(stack, *user) as interrupted:
        wait_until(lambda: len(log.renewed()) >= A_FEW, seconds=WITHIN_SECONDS)
        interrupted.send_signal(signal.SIGINT)
        _, said = interrupted.communicate(timeout=WITHIN_SECONDS)
    assert interrupted.returncode == EXIT_INTERRUPTED
    assert "Traceback" not in said
    assert len(log.renewed()) < POSTS

    with reprocessing(stack, *user, "--json") as finishing:
        [live] = published_posts(app, jpeg, 1)
        told, said = finishing.communicate(timeout=WITHIN_SECONDS)
    assert finishing.returncode == 0, said
    report = json.loads(told)
    assert report["not_reprocessed"] == 0
    assert 0 < report["reprocessed"] < POSTS
    # Each once, although both runs had picked it.
    assert sorted(log.renewed()) == sorted(posts)
    assert log.publication(live) < log.last_renewal()
    assert not Log(stack, [live]).renewed()
    for post_id in posts:
        assert app.wait_until_final(post_id)["status"] == "published"
    assert (
        f"0 of {POSTS + 1} published posts" in run_nova("reprocess", *user, **stack.environ).stdout
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
        pretend_older(stack.environ["DATABASE_URL"], post_id)
    user = ("--user", str(app.user_id))
    log = Log(stack, posts)

    assert "1 of 1 published posts" in run_nova("reprocess", *since, *user, **stack.environ).stdout
    assert log.renewed() == [after]
    assert "1 of 2 published posts" in run_nova("reprocess", *since, **stack.environ).stdout
    assert log.renewed() == [after, of_another]
    assert "1 of 2 published posts" in run_nova("reprocess", *user, **stack.environ).stdout
    assert log.renewed() == [after, of_another, before]
