"""Health: liveness, readiness, and the state of database, object store and queue."""

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
    """The state of each dependency. Figures are null while the database is down."""

    status: Literal["up", "down"]
    database: Literal["up", "down"]
    object_store: Literal["up", "down"]
    queue: QueueDepth | None
    projection: Lag | None


@get("/live", sync_to_thread=False)
def live() -> dict[str, str]:
    """Liveness: the process responds."""
    return {"status": "up"}


@get(["/", "/ready"])
async def ready(resources: UseResources) -> Response[Health]:
    """Readiness: 200 if the database and the object store respond, else 503."""
    checks = _Checks(resources)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_run_check, checks.check_database)
        tasks.start_soon(_run_check, checks.check_object_store)
    health = checks.health()
    return Response(health, status_code=200 if health.status == "up" else 503)


class _Checks:
    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._queue: QueueDepth | None = None
        self._lag: Lag | None = None
        self._object_store_up = False

    async def check_database(self) -> None:
        async with self._resources.connections.connection() as connection:
            self._queue = await queue_depth(connection)
            self._lag = await projection_lag(connection, POSTS.name)

    async def check_object_store(self) -> None:
        await self._resources.store.ping()
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


async def _run_check(check: Callable[[], Awaitable[None]]) -> None:
    """Run a check; a dependency that does not respond in time counts as down."""
    with anyio.move_on_after(CHECK_SECONDS):
        try:
            await check()
        except (psycopg.Error, ObjectStoreUnavailable):
            return


health_router = Router("/health", route_handlers=[live, ready])
