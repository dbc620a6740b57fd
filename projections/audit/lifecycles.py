"""The lifecycle audit: replays every post of the log and lists illegal transitions.

It also counts posts by status and lists those that are processing without a job.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from typing import Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from domain.event_store.mapper import UnreadableEvent
from domain.events import Event
from domain.lifecycle import IllegalTransition, replay
from domain.post import Post, Status
from projections.connection import ONE_SNAPSHOT, fetch_values
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


class Lifecycles(Struct, frozen=True, kw_only=True):
    """All posts at one position of the log: counts by status, and what is wrong.

    `forgotten` posts are processing but have no job; a periodic duty queues them again.
    """

    posts: int
    statuses: dict[Status, int]
    illegal: list[IllegalTransition]
    forgotten: list[UUID]

    @property
    def are_legal(self) -> bool:
        """Whether every transition is legal and no post is forgotten."""
        return not self.illegal and not self.forgotten


async def audit_lifecycles(
    connection: AsyncConnection[object], *, progress: Callable[[int, int], None]
) -> Lifecycles:
    """Replay the history of every post, one at a time in memory.

    `progress` is called with the number of events read and, roughly, the total.
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
        forgotten = await fetch_values(connection, _WITHOUT_JOB, {"post_ids": walk.processing})
    return Lifecycles(
        posts=walk.posts,
        statuses=dict(walk.statuses),
        illegal=walk.illegal,
        forgotten=forgotten,
    )


class _Walk:
    def __init__(self) -> None:
        self.posts = self.events = 0
        self.statuses: Counter[Status] = Counter()
        self.illegal: list[IllegalTransition] = []
        self.processing: list[UUID] = []
        self._damaged: UUID | None = None

    def unreadable(self, error: UnreadableEvent) -> None:
        row = error.row
        self._damaged = row.post_id
        self.illegal.append(
            IllegalTransition(
                post_id=row.post_id,
                version=row.version,
                topic=row.topic,
                reason=f"it is unreadable: {error.reason}",
            )
        )

    def add(self, post_id: UUID, events: list[Event]) -> None:
        self.posts += 1
        self.events += len(events)
        if self._damaged == post_id:
            return
        match replay(events):
            case IllegalTransition() as transition:
                self.illegal.append(transition)
            case Post(status=status):
                self.statuses[status] += 1
                if status == "processing":
                    self.processing.append(post_id)
            case None:
                pass
