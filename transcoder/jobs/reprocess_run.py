"""A reprocessing run: feeds published posts to the bulk lane, a few at a time, and waits for them.

A run can be interrupted at any time. Another one picks only posts of older recipes, and adopts the
jobs that are still queued.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final, Protocol
from uuid import UUID

import anyio
from msgspec import Struct
from psycopg import AsyncConnection

from domain.jobs import BULK_QUEUE
from transcoder.queue.depth import queue_depth
from transcoder.queue.reprocessing import enqueue_reprocessing, jobs_of_run

# Enough to keep every worker busy, and little to wait for after Ctrl-C.
MOST_WAITING: Final = 50
POLL_SECONDS: Final = 0.25


class OutdatedPost(Protocol):
    """A post to reprocess."""

    @property
    def post_id(self) -> UUID: ...  # noqa: D102 - as named

    @property
    def user_id(self) -> UUID: ...  # noqa: D102 - as named


class Page(Protocol):
    """So many published posts were looked at, and these are outdated."""

    @property
    def posts(self) -> int: ...  # noqa: D102 - as named

    @property
    def outdated(self) -> Sequence[OutdatedPost]: ...  # noqa: D102 - as named


class Fed(Struct, frozen=True, kw_only=True):
    """How far a run is: posts looked at, and jobs queued."""

    looked_at: int = 0
    queued: int = 0


async def run_reprocessing(
    connection: AsyncConnection[object],
    pages: AsyncIterator[Page],
    *,
    run_id: UUID,
) -> AsyncGenerator[Fed]:
    """Queue every outdated post, then wait until all jobs of the run have ended.

    Yields how far it is, at least every `POLL_SECONDS` while it waits.
    """
    fed = Fed()
    async for page in pages:
        for post in page.outdated:
            while (await queue_depth(connection, BULK_QUEUE)).waiting >= MOST_WAITING:
                yield fed
                await anyio.sleep(POLL_SECONDS)
            await enqueue_reprocessing(
                connection, post_id=post.post_id, user_id=post.user_id, run_id=run_id
            )
            fed = Fed(looked_at=fed.looked_at, queued=fed.queued + 1)
        fed = Fed(looked_at=fed.looked_at + page.posts, queued=fed.queued)
        yield fed
    while await jobs_of_run(connection, run_id):
        yield fed
        await anyio.sleep(POLL_SECONDS)
