"""Invariants: what must hold of every accepted post, whatever has died in between."""

import hashlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.stack.local import LocalStack
from domain.event_store.mapper import EventRow, decode_event
from domain.events import Event, PostCreated, PostFailed, PostUploaded, topic_of
from domain.post import Post, fold
from domain.settings import load_settings
from projections.audit.lifecycles import audit_lifecycles
from projections.connection import connected
from projections.follow.batch import project_batch
from projections.follow.projection import PROJECTIONS
from projections.log_tree.sealing import seal
from projections.log_tree.verification import verify as verify_tree
from projections.rebuild.verify import verify
from tests.api.stack.objects import s3_client
from tests.faults.secret_leaks import assert_nothing_secret
from transcoder.duties.orphans import find_orphans
from transcoder.errors import ChecksumMismatch, OriginalMissing
from transcoder.object_store.s3 import open_s3
from transcoder.settings import StorageSettings

SETTLED_WITHIN_SECONDS = 30

_EVENTS = """
SELECT originator_id AS post_id, originator_version AS version, topic, state FROM post_events
WHERE originator_id = %s ORDER BY originator_version
"""
_NEEDED = """
SELECT unnest(keys) FROM needed_objects(ARRAY(SELECT DISTINCT originator_id FROM post_events))
WHERE NOT is_deleted
"""
_JOBS_LEFT = """
SELECT count(*) FROM procrastinate_jobs
WHERE status IN ('todo', 'doing') AND args ? 'post_id'
"""


def assert_nothing_lost(stack: LocalStack, post_ids: list[str]) -> None:
    """Every post has exactly one end, its objects, and no work left; reads and seals agree."""
    with psycopg.connect(stack.environ["DATABASE_URL"], autocommit=True) as connection:
        histories = [history(connection, post_id) for post_id in post_ids]
        wait_until_no_job_is_left(connection)
    for events in histories:
        assert_at_an_end(events)
    assert_stored(stack, histories)
    assert_nothing_lies_about(stack)
    assert_nothing_secret_is_logged(stack)
    anyio.run(assert_derived, stack.environ["DATABASE_URL"])


def history(connection: psycopg.Connection, post_id: str) -> list[Event]:
    """All events of a post."""
    found = connection.execute(_EVENTS, [post_id]).fetchall()
    return [
        decode_event(EventRow(post_id=row[0], version=row[1], topic=row[2], state=row[3]))
        for row in found
    ]


def assert_at_an_end(events: list[Event]) -> None:
    """The post came to an end, and only one of its steps published it."""
    topics = [topic_of(event) for event in events]
    assert topics.count("post.published") <= 1, topics
    post = fold(events)
    assert post is not None
    assert post.status in {"published", "failed", "deleted"}, topics
    if post.status == "failed":
        assert isinstance(events[-1], PostFailed)
        assert events[-1].message


def assert_stored(stack: LocalStack, histories: list[list[Event]]) -> None:
    """The bytes of a living post are those that were recorded; those of a deleted one are gone."""
    client = s3_client(stack.environ)
    bucket = stack.environ["S3_BUCKET_NAME"]

    def stored_sha256(key: str) -> str:
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return hashlib.sha256(body).hexdigest()

    for events in histories:
        post = fold(events)
        assert post is not None
        if needs_its_original(post):
            assert {stored_sha256(post.image_key)} == announced_sha256(events)
        for variant in post.variants.values() if post.status == "published" else ():
            assert stored_sha256(variant.key) == variant.sha256
        if post.status == "deleted":
            for prefix in (f"uploads/{post.id}/", f"variants/{post.id}/"):
                assert not client.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"]
    client.close()


def needs_its_original(post: Post) -> bool:
    """Whether it is to be there: for recipes to come, or for the next try of what has failed."""
    if post.failure is not None and post.status == "failed":
        return post.failure.code not in {OriginalMissing.code, ChecksumMismatch.code}
    return post.status == "published"


def announced_sha256(events: list[Event]) -> set[str]:
    """What was announced, and what was accepted: one and the same."""
    return {event.sha256 for event in events if isinstance(event, PostCreated | PostUploaded)}


def assert_nothing_lies_about(stack: LocalStack) -> None:
    """Every object is needed or found by the janitor, and there are no temporary files."""
    files = {path.name for path in Path(stack.environ["TMPDIR"]).rglob("*") if path.is_file()}
    # The embedded store keeps the keys of its inner connections there.
    assert files <= {"grpc.key", "grpc.crt", "grpc-ca.crt"}, files
    needed, orphans = anyio.run(needed_and_orphans, stack)
    client = s3_client(stack.environ)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=stack.environ["S3_BUCKET_NAME"])
    stored = {found["Key"] for page in pages for found in page.get("Contents", ())}
    client.close()
    assert stored <= needed | orphans


def assert_nothing_secret_is_logged(stack: LocalStack) -> None:
    """Trouble makes processes talk, but not of that."""
    for log in stack.log("api").parent.iterdir():
        assert_nothing_secret(log.read_text(errors="replace"), stack.environ, speaker=log)


async def needed_and_orphans(stack: LocalStack) -> tuple[set[str], set[str]]:
    """The keys that the log refers to, and those that the janitor would remove, young ones too."""
    settings = load_settings(StorageSettings, stack.environ)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    pool: AsyncConnectionPool[AsyncConnection[object]] = AsyncConnectionPool(
        settings.database.url, min_size=1, max_size=1, kwargs={"autocommit": True}, open=False
    )
    async with pool, open_s3(settings.object_store) as store:
        async with pool.connection() as connection:
            found = await connection.execute(_NEEDED)
            needed = {str(row[0]) for row in await found.fetchall()}  # type: ignore[index]
        old = find_orphans(store, pool, before=tomorrow)
        orphans = {each.key async for each in old if each.is_removable}
    return needed, orphans


async def assert_derived(url: str) -> None:
    """The read tables are a fold of the log, which is legal, and as it was sealed."""
    async with connected(url) as connection:
        for projection in PROJECTIONS.values():
            while (await project_batch(connection, projection)).events:
                pass
            assert not (await verify(connection, projection)).differences
        lifecycles = await audit_lifecycles(connection, progress=lambda *_: None)
        assert lifecycles.are_legal, lifecycles
        await seal(connection)
        assert (await verify_tree(connection, progress=lambda *_: None)).finding is None


def wait_until_no_job_is_left(connection: psycopg.Connection) -> None:
    """A job may end a moment after its post."""
    deadline = time.monotonic() + SETTLED_WITHIN_SECONDS
    while connection.execute(_JOBS_LEFT).fetchone() != (0,):
        assert time.monotonic() < deadline, "a job is left behind"
        time.sleep(0.2)
