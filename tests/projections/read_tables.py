"""The read tables in tests: every kind of row they hold, and waiting for rows to appear."""

from typing import Any, LiteralString
from uuid import uuid4

import anyio
from psycopg.rows import dict_row

from domain.event_store.publishing import Publishing
from projections.follow.projection import PROJECTIONS
from tests.histories import (
    confirm_upload,
    create_post,
    delete_post,
    fail_post,
    publishing_commands,
    record_variant,
    reprocess_post,
)
from tests.sql import Connections

TABLES: list[LiteralString] = [
    table.name for projection in PROJECTIONS.values() for table in projection.tables
]


async def rows(connections: Connections) -> dict[str, list[dict[str, Any]]]:
    """Every row of every read table, in a fixed order."""
    found = {}
    async with connections.connection() as connection:
        for table in TABLES:
            query: LiteralString = f"SELECT * FROM {table} ORDER BY 1, 2"
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(query)
                found[table] = await cursor.fetchall()
    return found


async def wait_for_posts(connections: Connections, number: int) -> None:
    """Wait until at least `number` posts have a row, for up to 60 s."""
    with anyio.fail_after(60):
        while len((await rows(connections))["posts"]) < number:
            await anyio.sleep(0.02)


def write_all_kinds_of_posts(publishing: Publishing) -> None:
    """Append a post of each status, and one whose variants were replaced."""
    for command in publishing_commands(uuid4()):
        publishing.execute(command)
    renewed = uuid4()
    for command in (*publishing_commands(renewed), reprocess_post(renewed)):
        publishing.execute(command)
    for ending in (fail_post, delete_post):
        post_id = uuid4()
        for command in (create_post(post_id), confirm_upload(post_id), ending(post_id)):
            publishing.execute(command)
    publishing.execute(create_post())
    half_way = uuid4()
    publishing.execute(create_post(half_way))
    publishing.execute(confirm_upload(half_way))
    publishing.execute(record_variant(half_way, "thumbnail"))
