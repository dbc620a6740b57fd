"""Health: liveness, readiness, and the state of database, object store and queue."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import anyio
import psycopg
from litestar import Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from msgspec.structs import asdict

from api.http.openapi.operations import OpenOperation
from api.http.openapi.responses import problem_responses
from api.http.openapi.tags import SERVICE
from api.http.resources import Resources, UseResources
from api.http.schemas.health import Health, LagView, Liveness, QueueView
from projections.follow.projection import POSTS
from projections.queries.posts import Lag, projection_lag
from transcoder.errors import ObjectStoreUnavailable
from transcoder.queue.depth import QueueDepth, queue_depth

CHECK_SECONDS: Final = 3.0


@get(
    "/live",
    operation_id="getLiveness",
    response_description="The process responds.",
    summary="Check that the process responds",
    operation_class=OpenOperation,
    responses=problem_responses(is_open=True, uses_database=False, is_limited=False),
    sync_to_thread=False,
)
def live() -> Liveness:
    """Liveness: 200 whenever the process responds. Restart it if it does not."""
    return Liveness(status="up")


def _operation_id(_: HTTPRouteHandler, __: object, path: Sequence[object]) -> str:
    return "getReadiness" if "ready" in path else "getHealth"


@get(
    ["/", "/ready"],
    operation_id=_operation_id,
    response_description="Both dependencies respond.",
    summary="Check that the dependencies respond",
    operation_class=OpenOperation,
    responses={
        **problem_responses(is_open=True, uses_database=False, is_limited=False),
        503: ResponseSpec(
            Health, generate_examples=False, description="A dependency does not respond."
        ),
    },
)
async def ready(resources: UseResources) -> Response[Health]:
    """Readiness: 200 if the database and the object store respond, else 503.

    Also 503 while the process drains before it stops.
    """
    checks = _Checks(resources)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_run_check, checks.check_database)
        tasks.start_soon(_run_check, checks.check_object_store)
        tasks.start_soon(_run_check, checks.check_limits)
    health = checks.health()
    return Response(health, status_code=200 if health.status == "up" else 503)


class _Checks:
    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._queue: QueueDepth | None = None
        self._lag: Lag | None = None
        self._object_store_up = False
        self._limits_up = False

    async def check_database(self) -> None:
        async with self._resources.connections.connection() as connection:
            self._queue = await queue_depth(connection)
            self._lag = await projection_lag(connection, POSTS.name)

    async def check_object_store(self) -> None:
        await self._resources.store.ping()
        self._object_store_up = True

    async def check_limits(self) -> None:
        self._limits_up = await self._resources.buckets.ping()

    def health(self) -> Health:
        database_up = self._lag is not None
        return Health(
            status="up" if database_up and self._object_store_up else "down",
            database="up" if database_up else "down",
            object_store="up" if self._object_store_up else "down",
            limits="up" if self._limits_up else "down",
            queue=None if self._queue is None else _queue_view(self._queue),
            projection=None if self._lag is None else LagView(**asdict(self._lag)),
        )


def _queue_view(queue: QueueDepth) -> QueueView:
    return QueueView(waiting=queue.waiting, running=queue.running)


async def _run_check(check: Callable[[], Awaitable[None]]) -> None:
    """Run a check; a dependency that does not respond in time counts as down."""
    with anyio.move_on_after(CHECK_SECONDS):
        try:
            await check()
        except (psycopg.Error, ObjectStoreUnavailable):
            return


health_router = Router("/health", route_handlers=[live, ready], tags=[SERVICE.name])
