"""Audited lifecycles: what the log says of each post, and of those that nobody works on."""

from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from domain.event_store.publishing import Publishing
from projections.audit.lifecycles import Lifecycles, audit_lifecycles
from tests.histories import (
    confirm_upload,
    create_post,
    delete_post,
    fail_post,
    publishing_commands,
)
from tests.sql import append_poison

pytestmark = pytest.mark.anyio


async def lifecycles_of(url: str) -> Lifecycles:
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        return await audit_lifecycles(connection, progress=lambda *_: None)


async def test_posts_are_counted_where_they_are(publishing: Publishing, database_url: str) -> None:
    pending, waiting, failed, deleted = (uuid4() for _ in range(4))
    commands = [
        create_post(pending),
        *(create_post(waiting), confirm_upload(waiting)),
        *(create_post(failed), confirm_upload(failed), fail_post(failed)),
        *(create_post(deleted), delete_post(deleted)),
        *publishing_commands(uuid4()),
        *publishing_commands(uuid4()),
    ]
    for command in commands:
        publishing.execute(command)
    lifecycles = await lifecycles_of(database_url)
    assert lifecycles.are_legal
    assert lifecycles.posts == 6
    assert lifecycles.statuses == {
        "pending": 1,
        "processing": 1,
        "failed": 1,
        "deleted": 1,
        "published": 2,
    }


@pytest.mark.parametrize(
    ("jobs", "is_forgotten"),
    [
        ("DELETE FROM procrastinate_jobs", True),
        ("UPDATE procrastinate_jobs SET status = 'failed'", True),
        ("UPDATE procrastinate_jobs SET lock = 'post:' || gen_random_uuid()", True),
        ("UPDATE procrastinate_jobs SET status = 'doing'", False),
        ("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 minute'", False),
    ],
    ids=["no job", "a job that ended", "another post's job", "a running job", "a waiting job"],
)
async def test_a_post_that_is_processing_is_forgotten_unless_its_job_is_unfinished(
    publishing: Publishing, database_url: str, jobs: LiteralString, *, is_forgotten: bool
) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    publishing.execute(confirm_upload(post_id))
    with psycopg.connect(database_url) as connection:
        connection.execute(jobs)
    lifecycles = await lifecycles_of(database_url)
    assert lifecycles.forgotten == ([post_id] if is_forgotten else [])
    assert lifecycles.are_legal != is_forgotten


async def test_a_history_that_cannot_be_is_named(publishing: Publishing, database_url: str) -> None:
    one, other = uuid4(), uuid4()
    for command in (*publishing_commands(one), *publishing_commands(other)):
        publishing.execute(command)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE post_events DISABLE TRIGGER USER")
        connection.execute(
            "DELETE FROM post_events WHERE originator_id = %s AND originator_version = 2", [one]
        )
    lifecycles = await lifecycles_of(database_url)
    assert not lifecycles.are_legal
    assert (lifecycles.posts, lifecycles.statuses) == (2, {"published": 1})
    [transition] = lifecycles.illegal
    assert (transition.post_id, transition.version) == (one, 3)
    assert transition.reason == "version 2 is missing"


async def test_an_unreadable_event_is_named_and_ends_nothing(
    publishing: Publishing, database_url: str
) -> None:
    for command in publishing_commands(uuid4()):
        publishing.execute(command)
    append_poison(database_url)
    for command in publishing_commands(uuid4()):
        publishing.execute(command)
    lifecycles = await lifecycles_of(database_url)
    assert (lifecycles.posts, lifecycles.statuses) == (3, {"published": 2})
    [transition] = lifecycles.illegal
    assert transition.reason.startswith("it is unreadable: ")


async def test_a_post_with_an_unreadable_event_is_named_once_whatever_follows(
    publishing: Publishing, database_url: str
) -> None:
    post_id = uuid4()
    for command in publishing_commands(post_id):
        publishing.execute(command)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE post_events DISABLE TRIGGER USER")
        connection.execute("UPDATE post_events SET state = '{}' WHERE originator_version = 2")
    lifecycles = await lifecycles_of(database_url)
    [transition] = lifecycles.illegal
    assert (transition.post_id, transition.version) == (post_id, 2)
    assert transition.reason.startswith("it is unreadable: ")
