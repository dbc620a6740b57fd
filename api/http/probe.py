"""The probe: whether database, object store and limits respond, asked once a second at most."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import anyio
import psycopg
from msgspec.structs import asdict
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.http.limits.buckets import Buckets
from api.http.schemas.health import DatabaseState, Health, LagView, QueueView
from projections.follow.projection import POSTS
from projections.log.writing import is_writable
from projections.queries.posts import Lag, projection_lag
from transcoder.errors import ObjectStoreUnavailable
from transcoder.object_store.protocol import ObjectStore
from transcoder.queue.depth import QueueDepth, queue_depth

CHECK_SECONDS: Final = 3.0
# Anyone may ask for health, as often as they like: they cost a query and a HEAD per second.
FRESH_SECONDS: Final = 1.0

_Connections: TypeAlias = AsyncConnectionPool[AsyncConnection[object]]


class Probe:
    """Reports health; concurrent callers share one check, and a second of callers its result."""

    def __init__(self, connections: _Connections, store: ObjectStore, buckets: Buckets) -> None:
        self._connections = connections
        self._store = store
        self._buckets = buckets
        self._checking = anyio.Lock()
        self._health: Health | None = None
        self._fresh_until = 0.0

    async def health(self) -> Health:
        """The health of every dependency, at most `FRESH_SECONDS` old."""
        async with self._checking:
            if self._health is None or anyio.current_time() >= self._fresh_until:
                self._health = await self._check()
                self._fresh_until = anyio.current_time() + FRESH_SECONDS
            return self._health

    async def _check(self) -> Health:
        checks = _Checks(self._connections, self._store, self._buckets)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_run_check, checks.check_database)
            tasks.start_soon(_run_check, checks.check_object_store)
            tasks.start_soon(_run_check, checks.check_limits)
        return checks.health()


class _Checks:
    def __init__(self, connections: _Connections, store: ObjectStore, buckets: Buckets) -> None:
        self._connections = connections
        self._store = store
        self._buckets = buckets
        self._queue: QueueDepth | None = None
        self._lag: Lag | None = None
        self._is_writable: bool | None = None
        self._object_store_up = False
        self._limits_up = False

    async def check_database(self) -> None:
        async with self._connections.connection() as connection:
            self._queue = await queue_depth(connection)
            self._lag = await projection_lag(connection, POSTS.name)
            self._is_writable = await is_writable(connection)

    async def check_object_store(self) -> None:
        await self._store.ping()
        self._object_store_up = True

    async def check_limits(self) -> None:
        self._limits_up = await self._buckets.ping()

    def health(self) -> Health:
        return Health(
            status="up" if self._is_writable and self._object_store_up else "down",
            database=self._database(),
            object_store="up" if self._object_store_up else "down",
            limits="up" if self._limits_up else "down",
            queue=None if self._queue is None else _queue_view(self._queue),
            projection=None if self._lag is None else LagView(**asdict(self._lag)),
        )

    def _database(self) -> DatabaseState:
        if self._is_writable is None:
            return "down"
        return "up" if self._is_writable else "read_only"


def _queue_view(queue: QueueDepth) -> QueueView:
    return QueueView(waiting=queue.waiting, running=queue.running)


async def _run_check(check: Callable[[], Awaitable[None]]) -> None:
    """Run a check; a dependency that does not respond in time counts as down."""
    with anyio.move_on_after(CHECK_SECONDS):
        try:
            await check()
        except (psycopg.Error, ObjectStoreUnavailable):
            return
