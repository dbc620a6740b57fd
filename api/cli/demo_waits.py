"""What the demo waits for: the worker before the first photo, and the read tables after each."""

from datetime import datetime
from typing import Final
from uuid import UUID

import anyio
from psycopg import AsyncConnection

from api.cli.client import Client
from api.http.schemas.posts import PostView
from api.stack.errors import ServerDidNotStart
from api.stack.local import LocalStack
from projections.connection import fetch_value
from projections.follow.projection import PROJECTIONS
from projections.follow.status import statuses

LOOK_AGAIN_SECONDS: Final = 0.01
WORKER_READY_WITHIN_SECONDS: Final = 120
LOG_TAIL_LINES: Final = 10
# A lane registers once the image processes are warm; those of killed workers stay for a while.
_LANES: Final = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat >= %(since)s"


class ReadTablesStopped(Exception):
    """A projection is stopped, so no post changes any more for those who read."""

    def __init__(self, position: int, reason: str | None) -> None:
        super().__init__(
            f"the read tables stopped at position {position} ({reason}), "
            "see nova projections status"
        )


async def wait_for_worker(
    stack: LocalStack, database: AsyncConnection[object], *, since: datetime
) -> None:
    """Wait until a worker that started after `since` takes jobs.

    Raises:
        ServerDidNotStart: none did in time.
    """
    with anyio.move_on_after(WORKER_READY_WITHIN_SECONDS):
        # The database cannot be awaited, so poll.
        while not await fetch_value(database, _LANES, {"since": since}):  # noqa: ASYNC110
            await anyio.sleep(LOOK_AGAIN_SECONDS)
        return
    log = stack.log("worker")
    lines = (await anyio.Path(log).read_text()).splitlines()
    raise ServerDidNotStart("worker", log=log, log_tail="\n".join(lines[-LOG_TAIL_LINES:]))


async def read_when_final(
    post_id: UUID, client: Client, database: AsyncConnection[object]
) -> PostView:
    """The post as clients read it, once it is published or failed.

    Raises:
        ReadTablesStopped: that will not happen, because an event stopped the projection.
    """
    while True:
        post = await client.post(post_id)
        if post.status in {"published", "failed"}:
            return post
        await require_following(database)
        await anyio.sleep(LOOK_AGAIN_SECONDS)


async def require_following(database: AsyncConnection[object]) -> None:
    """Check that the projection that the API reads from is not stopped.

    Raises:
        ReadTablesStopped: it is.
    """
    for status in await statuses(database, [PROJECTIONS["posts"]]):
        if status.stopped_at is not None:
            raise ReadTablesStopped(status.stopped_at, status.last_error)
