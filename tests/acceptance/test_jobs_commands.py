"""`nova jobs` as operators use it: list, show, retry and cancel."""

import json
import subprocess
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from tests.acceptance.commands import run_nova
from tests.histories import confirm_upload, create_post, fail_post, publishing_commands

pytestmark = pytest.mark.anyio

Connections = AsyncConnectionPool[AsyncConnection[object]]


def run_jobs(url: str, *words: str | UUID) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end."""
    return run_nova("jobs", *words, DATABASE_URL=url)


def uploaded(publishing: Publishing) -> UUID:
    post_id = uuid4()
    for command in (create_post(post_id), confirm_upload(post_id)):
        publishing.execute(command)
    return post_id


@pytest.fixture
async def posts(publishing: Publishing, connections: Connections) -> tuple[UUID, UUID]:
    """The ids of a queued and a failed post, beside a published one."""
    for command in publishing_commands(uuid4()):
        publishing.execute(command)
    waiting, failed = uploaded(publishing), uploaded(publishing)
    publishing.execute(fail_post(failed))
    await catch_up(connections, POSTS, position=None)
    return waiting, failed


async def test_what_is_unfinished_is_listed_with_its_reason(
    posts: tuple[UUID, UUID], database_url: str
) -> None:
    waiting, failed = posts
    listed = run_jobs(database_url, "list", "--json").stdout.splitlines()
    found = {UUID(row["post_id"]): row for row in map(json.loads, listed)}
    assert set(found) == {waiting, failed}
    assert (found[waiting]["state"], found[waiting]["attempts"]) == ("waiting", 0)
    assert (found[failed]["state"], found[failed]["code"]) == ("failed", "internal_error")
    assert found[failed]["attempts"] == 1
    assert "The photo is damaged." in run_jobs(database_url, "list").stdout
    assert "No unfinished posts." in run_jobs(database_url, "list", "--code", "too_large").stdout
    assert "waiting since" in run_jobs(database_url, "show", waiting).stdout
    unknown = run_jobs(database_url, "show", uuid4())
    assert (unknown.returncode, "nova: there is no post" in unknown.stderr) == (1, True)


async def test_what_has_failed_is_tried_again_one_by_one_and_in_bulk(
    posts: tuple[UUID, UUID], publishing: Publishing, database_url: str
) -> None:
    waiting, failed = posts
    assert run_jobs(database_url, "retry", failed).returncode == 0
    assert publishing.post(failed).status == "processing"
    assert publishing.history(failed)[-1].actor.startswith("cli:")
    publishing.execute(fail_post(failed))
    with psycopg.connect(database_url) as connection:
        # As if workers had run them: bulk jobs wait for live ones.
        connection.execute("DELETE FROM procrastinate_jobs")
    tomorrow = run_jobs(database_url, "retry", "--failed", "--since", "2100-01-01", "--json")
    assert json.loads(tomorrow.stdout) == {"retried": 0}, tomorrow.stderr
    bulk = run_jobs(database_url, "retry", "--failed", "--since", "2026-01-01", "--json")
    assert json.loads(bulk.stdout) == {"retried": 1}, bulk.stderr
    assert publishing.post(failed).status == "processing"
    assert publishing.post(waiting).status == "processing"
    published = run_jobs(database_url, "retry", uuid4())
    assert (published.returncode, "Traceback" in published.stderr) == (1, False)
    assert run_jobs(database_url, "retry").returncode == 2


async def test_what_waits_can_be_taken_out_and_says_so(
    posts: tuple[UUID, UUID], publishing: Publishing, database_url: str
) -> None:
    waiting, _ = posts
    assert run_jobs(database_url, "cancel", waiting).returncode == 0
    failure = publishing.post(waiting).failure
    assert failure is not None
    assert (failure.code, failure.stage) == ("cancelled", None)
    assert "can be retried" in failure.message
    with psycopg.connect(database_url) as connection:
        left = "SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'post_id' = %s"
        # Its job has left the queue.
        assert connection.execute(left, [str(waiting)]).fetchone() == (0,)
    again = run_jobs(database_url, "cancel", waiting)
    assert (again.returncode, again.stderr) == (
        1,
        f"nova: post {waiting} is neither queued nor running\n",
    )
