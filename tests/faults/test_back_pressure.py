"""More work than workers: clients get a Retry-After, and every user gets a fair share."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import psutil
import psycopg
import pytest

from api.stack.local import LocalStack
from domain.event_store.publishing import Publishing
from tests.acceptance.app import App
from tests.api.stack.running import wait_until
from tests.fault_rounds import rounds
from tests.faults.invariants import assert_nothing_lost
from tests.faults.patient_app import PatientApp
from tests.faults.processes import stack_without, working
from tests.faults.secret_leaks import assert_nothing_secret
from tests.histories import fail_post

CAPACITY = 8
USER_CAPACITY = 5
TYPES = {429: "/problems/too-many-waiting-photos", 503: "/problems/queue-full"}
CLIENTS = 12
PHOTOS_EACH = rounds(12, brief=4)
MIB = 1 << 20
MANY = 24
A_FEW = 4
A_WHILE_SECONDS = 10


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A stack whose queue is soon full, and whose worker each test starts when it wants to."""
    environ = {"JOB_QUEUE_CAPACITY": str(CAPACITY)}
    with stack_without("worker", environ=environ) as stack:
        yield stack


class ObedientApp(App):
    """Retries after the advised pause, and records each pause."""

    def __init__(self, http: httpx.Client, *, secret: str) -> None:
        super().__init__(http, secret=secret)
        self.pauses: list[int] = []

    def upload(self, content: bytes, *, content_type: str = "image/jpeg") -> str:
        """Announce, send and complete a photo, as often as it takes."""
        opened = self.init(content, content_type=content_type)
        assert self.put(opened, content).status_code == 200
        while (answer := self.complete(opened)).status_code in TYPES:
            assert answer.json()["type"] == TYPES[answer.status_code]
            self.pauses.append(int(answer.headers["retry-after"]))
            time.sleep(self.pauses[-1])
        assert answer.status_code == 202, answer.text
        post_id: str = opened["post_id"]
        return post_id


def test_a_full_queue_sends_clients_away_and_everything_is_published_all_the_same(
    stack: LocalStack, jpeg: bytes
) -> None:
    api = psutil.Process(stack.pids["api"])

    def be_a_client(_: int) -> tuple[list[str], list[int]]:
        with httpx.Client(base_url=stack.url, timeout=30) as http:
            app = ObedientApp(http, secret=stack.environ["JWT_SECRET"])
            posts = [app.upload(jpeg) for _ in range(PHOTOS_EACH)]
            for post_id in posts:
                assert app.wait_until_final(post_id)["status"] == "published"
            return posts, app.pauses

    with working(stack), ThreadPoolExecutor(CLIENTS) as clients:
        be_a_client(0)
        before = api.memory_info().rss
        done = list(clients.map(be_a_client, range(CLIENTS)))
        grown = api.memory_info().rss - before
    posts = [post_id for published, _ in done for post_id in published]
    pauses = [pause for _, told in done for pause in told]
    print(f"{len(posts)} posts, sent away {len(pauses)} times, {grown / MIB:.0f} MiB more")  # noqa: T201 - figures
    assert len(posts) == CLIENTS * PHOTOS_EACH
    # A client that waits as advised is not rejected again and again.
    assert 0 < len(pauses) < 3 * len(posts)
    assert max(pauses) < A_WHILE_SECONDS
    assert grown < 64 * MIB
    assert_nothing_lost(stack, posts)


def test_a_queue_that_is_full_without_a_worker_is_worked_off_as_soon_as_there_is_one(
    stack: LocalStack, app: PatientApp, jpeg: bytes
) -> None:
    with httpx.Client(base_url=stack.url, timeout=30) as http:
        keen = App(http, secret=stack.environ["JWT_SECRET"])
        posts = [keen.upload(jpeg) for _ in range(USER_CAPACITY)]
        posts += [app.upload(jpeg) for _ in range(CAPACITY - USER_CAPACITY)]
        opened = app.init(jpeg)
        app.put(opened, jpeg)
        assert app.once("POST", "/posts/upload/complete", app.completion(opened)) == 503
        with working(stack):
            app.complete(opened)
            for post_id in posts[:USER_CAPACITY]:
                assert keen.wait_until_final(post_id)["status"] == "published"
            mine = [*posts[USER_CAPACITY:], opened["post_id"]]
            assert {post["status"] for post in app.final(mine)} == {"published"}
    assert_nothing_lost(stack, posts)


def test_one_users_many_photos_do_not_delay_anothers_single_one(
    stack: LocalStack, jpeg: bytes
) -> None:
    secret = stack.environ["JWT_SECRET"]
    with httpx.Client(base_url=stack.url, timeout=30) as http:
        keen, other = App(http, secret=secret), App(http, secret=secret)
        posts = [keen.upload(jpeg) for _ in range(USER_CAPACITY)]
        single = other.upload(jpeg)
        with working(stack):
            keen.wait_until_final(posts[-1])
        published = ends(stack)
    assert published.index(single) < published.index(posts[A_FEW])


def test_bulk_work_delays_no_live_post(stack: LocalStack, jpeg: bytes) -> None:
    with httpx.Client(base_url=stack.url, timeout=30) as http:
        app = App(http, secret=stack.environ["JWT_SECRET"])
        bulk = failed_posts(stack, app, jpeg)
        nova(stack, "jobs", "retry", "--failed")
        with working(stack):
            wait_until(lambda: bool({*bulk} & {*ends(stack)}))
            live = [app.upload(jpeg) for _ in range(3)]
            for post_id in (*live, *bulk):
                assert app.wait_until_final(post_id)["status"] == "published"
        for post_id in live:
            assert len(published_while_waiting(stack, post_id) & {*bulk}) <= A_FEW
    assert_nothing_lost(stack, [*bulk, *live])


def failed_posts(stack: LocalStack, app: App, jpeg: bytes) -> list[str]:
    """Many posts that have failed before any worker has seen them."""
    url, posts = stack.environ["DATABASE_URL"], list[str]()
    with Publishing(url) as publishing, psycopg.connect(url, autocommit=True) as connection:
        for _ in range(MANY):
            posts.append(app.upload(jpeg))
            publishing.execute(fail_post(UUID(posts[-1])))
            # Its job has nothing to do any more; there is no worker to see that.
            connection.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'transcode'")
    return posts


def nova(stack: LocalStack, *words: str) -> None:
    """Run a verb to its end."""
    command = [sys.executable, "-m", "api", *words]
    done = subprocess.run(
        command, env=dict(stack.environ), check=True, capture_output=True, text=True, timeout=60
    )
    assert_nothing_secret(done.stdout + done.stderr, stack.environ, speaker=words)


def ends(stack: LocalStack) -> list[str]:
    """The posts in the order in which they were published."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT originator_id::text FROM post_events WHERE topic = 'post.published'"
            " ORDER BY notification_id"
        ).fetchall()
    return [row[0] for row in rows]


def published_while_waiting(stack: LocalStack, post_id: str) -> set[str]:
    """Whatever was published between a post's upload and its own publication."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT other.originator_id::text FROM post_events AS other,"
            " (SELECT min(notification_id) FILTER (WHERE topic = 'post.uploaded') AS first,"
            "  max(notification_id) FILTER (WHERE topic = 'post.published') AS last"
            "  FROM post_events WHERE originator_id = %s) AS own"
            " WHERE other.topic = 'post.published'"
            " AND other.notification_id > own.first AND other.notification_id < own.last",
            [post_id],
        ).fetchall()
    return {row[0] for row in rows}
