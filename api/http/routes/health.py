"""Health: whether the process lives, whether it can serve, and how its parts are doing."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import anyio
import psycopg
from litestar import Response, Router, get
from msgspec import Struct

from api.http.resources import Resources, UseResources
from projections.follow.projection import POSTS
from projections.queries.posts import Lag, projection_lag
from transcoder.errors import ObjectStoreUnavailable
from transcoder.queue.depth import QueueDepth, queue_depth

CHECK_SECONDS: Final = 3.0


class Health(Struct, frozen=True, kw_only=True):
    """How the parts are doing; a part that does not answer is `down`, its figures are null."""

    status: Literal["up", "down"]
    database: Literal["up", "down"]
    object_store: Literal["up", "down"]
    queue: QueueDepth | None
    projection: Lag | None


@get("/live", sync_to_thread=False)
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "up"}


@get(["/", "/ready"])
async def ready(resources: UseResources) -> Response[Health]:
    """The database and the object store answer too: 200 if so, 503 if not."""
    parts = _Parts(resources)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_quietly, parts.ask_database)
        tasks.start_soon(_quietly, parts.ask_object_store)
    health = parts.health()
    return Response(health, status_code=200 if health.status == "up" else 503)


class _Parts:
    def __init__(self, resources: Resources) -> None:
        self._services = resources
        self._queue: QueueDepth | None = None
        self._lag: Lag | None = None
        self._object_store_up = False

    async def ask_database(self) -> None:
        async with self._services.connections.connection() as connection:
            self._queue = await queue_depth(connection)
            self._lag = await projection_lag(connection, POSTS.name)

    async def ask_object_store(self) -> None:
        await self._services.store.ping()
        self._object_store_up = True

    def health(self) -> Health:
        database_up = self._lag is not None
        return Health(
            status="up" if database_up and self._object_store_up else "down",
            database="up" if database_up else "down",
            object_store="up" if self._object_store_up else "down",
            queue=self._queue,
            projection=self._lag,
        )


async def _quietly(ask: Callable[[], Awaitable[None]]) -> None:
    """Ask one part; what it does not answer in time stays unknown, and counts as down."""
    with anyio.move_on_after(CHECK_SECONDS):
        try:
            await ask()
        except (psycopg.Error, ObjectStoreUnavailable):
            return


health_router = Router("/health", route_handlers=[live, ready])
