"""Audited paths: whether each post of the log took a path that the state machine allows.

Also where each of them is now, and whether anybody works on those that are not at an end.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from typing import Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from domain.event_store.mapper import UnreadableEvent
from domain.events import Event
from domain.lifecycle import Misstep, follow
from domain.post import Post, Status
from projections.connection import ONE_SNAPSHOT
from projections.log.histories import histories
from projections.log.reading import head_position
from projections.log.shards import EVERY_POST

REPORT_EVERY_POSTS: Final = 1000

_WITHOUT_JOB: Final = """
SELECT post_id FROM unnest(%(post_ids)s::uuid[]) AS post_id
WHERE NOT EXISTS (
    SELECT FROM procrastinate_jobs
    WHERE lock = job_lock(post_id) AND status IN ('todo', 'doing')
)
"""


class Paths(Struct, frozen=True, kw_only=True):
    """Every post at one moment: how many in each status, and what is wrong with which.

    Nobody works on the `forgotten` ones, though they are processing: a worker's periodic duty
    queues them again.
    """

    posts: int
    statuses: dict[Status, int]
    missteps: list[Misstep]
    forgotten: list[UUID]

    @property
    def are_legal(self) -> bool:
        """Whether nothing is wrong."""
        return not self.missteps and not self.forgotten


async def audit_paths(
    connection: AsyncConnection[object], *, progress: Callable[[int, int], None]
) -> Paths:
    """Walk through the history of every post; memory is that of one, and of what is found.

    `progress` is told how many events were walked, and how many there are, about.
    """
    walk = _Walk()
    async with connection.transaction():
        await connection.execute(ONE_SNAPSHOT)
        position = await head_position(connection)
        posts = histories(connection, EVERY_POST, position=position, unreadable=walk.unreadable)
        async with aclosing(posts):
            async for post_id, events in posts:
                walk.add(post_id, events)
                if walk.posts % REPORT_EVERY_POSTS == 0:
                    progress(walk.events, position)
        forgotten = await _without_job(connection, walk.processing)
    return Paths(
        posts=walk.posts,
        statuses=dict(walk.statuses),
        missteps=walk.missteps,
        forgotten=forgotten,
    )


class _Walk:
    def __init__(self) -> None:
        self.posts = self.events = 0
        self.statuses: Counter[Status] = Counter()
        self.missteps: list[Misstep] = []
        self.processing: list[UUID] = []
        self._damaged: UUID | None = None

    def unreadable(self, error: UnreadableEvent) -> None:
        row = error.row
        self._damaged = row.post_id
        self.missteps.append(
            Misstep(
                post_id=row.post_id,
                version=row.version,
                topic=row.topic,
                why=f"it is unreadable: {error.reason}",
            )
        )

    def add(self, post_id: UUID, events: list[Event]) -> None:
        self.posts += 1
        self.events += len(events)
        if self._damaged == post_id:
            return
        match follow(events):
            case Misstep() as misstep:
                self.missteps.append(misstep)
            case Post(status=status):
                self.statuses[status] += 1
                if status == "processing":
                    self.processing.append(post_id)
            case None:
                pass


async def _without_job(connection: AsyncConnection[object], post_ids: list[UUID]) -> list[UUID]:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_WITHOUT_JOB, {"post_ids": post_ids})
        return await cursor.fetchall()
