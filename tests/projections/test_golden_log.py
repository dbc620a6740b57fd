"""The golden log: every shape ever stored, in whole histories, with today's events in between.

It goes through every projection, a rebuild, the audit and the sealed tree as one log does that
began with the first version: nothing waits, and nothing is lost.
"""

import json
import re
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

import anyio
import pytest

from domain.event_store.publishing import Publishing
from domain.jobs import TRANSCODE_TASK
from projections.audit.lifecycles import audit_lifecycles
from projections.connection import fetch_value
from projections.follow.projection import PROJECTIONS
from projections.follow.runner import follow
from projections.follow.status import Status, statuses
from projections.log_tree.sealing import seal
from projections.log_tree.verification import verify as verify_tree
from projections.rebuild.rebuild import rebuild
from projections.rebuild.verify import verify
from tests.golden_events import golden_states
from tests.histories import caption_post, delete_post, publishing_commands, retry_post
from tests.projections.read_tables import rows, write_all_kinds_of_posts
from tests.sql import Connections

pytestmark = pytest.mark.anyio

# A golden event, and the variant that it is of: golden files have a thumbnail only.
Step: TypeAlias = tuple[str, str]


def variants(*versions: str) -> list[Step]:
    names = ("thumbnail", "medium", "original")
    return [
        (f"post.variant_ready.{version}", name)
        for version, name in zip(versions, names, strict=True)
    ]


def steps(*stems: str) -> list[Step]:
    return [(stem, "thumbnail") for stem in stems]


FIRST: Final = [
    *steps("post.created.v1", "post.uploaded.v1"),
    *variants("v1", "v1", "v1"),
    *steps("post.published.v1", "post.captioned.v1", "post.reprocessed.v1"),
]
SECOND: Final = [
    *steps("post.created.v2", "post.uploaded.v1"),
    *variants("v2", "v2", "v2"),
    *steps("post.published.v2", "post.not_reprocessed.v1", "post.reprocessed.v2"),
]
# Deployments met in the middle of it.
MIXED: Final = [
    *steps("post.created.v1", "post.uploaded.v1", "post.failed.v1", "post.retried.v1"),
    *variants("v1", "v2", "v3"),
    *steps("post.published.v3"),
]
FAILED: Final = steps("post.created.v2", "post.uploaded.v1", "post.failed.v2")
WAITING: Final = steps("post.created.v1")
DELETED: Final = steps("post.created.v1", "post.deleted.v1")
STATUSES: Final = {
    "published": (FIRST, SECOND, MIXED),
    "failed": (FAILED,),
    "pending": (WAITING,),
    "deleted": (DELETED,),
}


async def append(connections: Connections, post_id: UUID, version: int, step: Step) -> None:
    """Store a golden event as the next one of a post, byte for byte but for ids and variant."""
    stem, variant = step
    golden = golden_states()[stem].decode()
    state = golden.replace(json.loads(golden)["post_id"], str(post_id))
    state = re.sub(r'"version":\d+', f'"version":{version}', state)
    state = re.sub(r'"event_id":"[^"]+"', f'"event_id":"{uuid4()}"', state)
    if stem.startswith("post.variant_ready"):
        state = state.replace("thumbnail", variant)
    async with connections.connection() as connection:
        await connection.execute(
            "SELECT append_post_events(%s, ARRAY[%s::bigint], ARRAY[%s], ARRAY[%s::bytea],"
            " '[]'::jsonb, NULL)",
            [post_id, version, stem.rpartition(".")[0], state.encode()],
        )


async def write_log(publishing: Publishing, connections: Connections) -> dict[UUID, str]:
    """All histories, one event of each after the other, and today's posts; the status of each."""
    histories = [
        (uuid4(), history, status)
        for status, group in STATUSES.items()
        for history in group
        for _ in range(2)
    ]
    for version in range(1, max(len(history) for _, history, _ in histories) + 1):
        for post_id, history, _ in histories:
            if version <= len(history):
                await append(connections, post_id, version, history[version - 1])
        for command in publishing_commands(uuid4()):
            publishing.execute(command)
    write_all_kinds_of_posts(publishing)
    return {post_id: status for post_id, _, status in histories}


async def states(connections: Connections) -> list[Status]:
    async with connections.connection() as connection:
        return await statuses(connection, list(PROJECTIONS.values()))


async def follow_all(connections: Connections, database_url: str) -> None:
    """Run every projection until it has read the whole log."""
    async with connections.connection() as connection:
        head = await fetch_value(connection, "SELECT max(notification_id) FROM post_events")
    async with anyio.create_task_group() as tasks:
        for projection in PROJECTIONS.values():
            tasks.start_soon(follow, database_url, projection)
        with anyio.fail_after(60):
            while any(each.position < head for each in await states(connections)):
                assert not any(each.stopped_at for each in await states(connections))
                await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()


async def require_right(connections: Connections) -> None:
    """Compare every read table with the log, the log with its tree, and replay every post."""
    async with connections.connection() as connection:
        for projection in PROJECTIONS.values():
            assert not (await verify(connection, projection)).differences
        lifecycles = await audit_lifecycles(connection, progress=lambda _done, _total: None)
        await seal(connection)
        tree = await verify_tree(connection, progress=lambda _done, _total: None)
    assert lifecycles.illegal == []
    assert (tree.finding, tree.unsealed) == (None, 0)


async def test_a_log_of_every_shape_ever_stored_is_followed_and_rebuilt_whole(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    expected = await write_log(publishing, connections)
    await follow_all(connections, database_url)
    followed = await rows(connections)
    found = {row["id"]: row["status"] for row in followed["posts"]}
    assert {post_id: found.get(post_id, "deleted") for post_id in expected} == expected
    await require_right(connections)

    for projection in PROJECTIONS.values():
        await rebuild(database_url, projection, report=lambda *_: None, batch_events=7)
    assert without_times(await rows(connections)) == without_times(followed)


async def test_posts_of_the_first_version_go_on_with_todays_events(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    expected = await write_log(publishing, connections)
    for post_id, status in expected.items():
        if status == "published":
            publishing.execute(caption_post(post_id, caption="today"))
        elif status == "failed":
            publishing.execute(retry_post(post_id))
        elif status == "pending":
            publishing.execute(delete_post(post_id))
    await follow_all(connections, database_url)
    found = {row["id"]: row for row in (await rows(connections))["posts"]}
    for post_id, status in expected.items():
        if status == "published":
            assert found[post_id]["caption"] == "today"
        elif status == "failed":
            assert found[post_id]["status"] == "processing"
        else:
            assert post_id not in found
    async with connections.connection() as connection:
        retried = await fetch_value(
            connection,
            f"SELECT count(*) FROM procrastinate_jobs WHERE task_name = '{TRANSCODE_TASK}'"
            " AND args ->> 'post_id' = ANY(%(posts)s)",
            {"posts": [str(each) for each, status in expected.items() if status == "failed"]},
        )
    assert retried == 2
    await require_right(connections)


def test_the_log_has_every_golden_event() -> None:
    used = {stem for group in STATUSES.values() for history in group for stem, _ in history}
    assert used == set(golden_states())


def without_times(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The rows without the time at which they were projected, where a table has one."""
    return {
        table: [{name: row[name] for name in row if name != "projected_at"} for row in all_rows]
        for table, all_rows in found.items()
    }
