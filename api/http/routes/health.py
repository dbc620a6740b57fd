"""Health: liveness, readiness, and, for operators, the state of each dependency."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from api.http.authentication.users import User
from api.http.errors import InvalidToken
from api.http.openapi.operations import OpenOperation, OptionalTokenOperation
from api.http.openapi.responses import problem_responses
from api.http.openapi.tags import SERVICE
from api.http.resources import UseResources
from api.http.schemas.health import Health, Liveness


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
    operation_class=OptionalTokenOperation,
    responses={
        **problem_responses(InvalidToken, is_open=True, uses_database=False, is_limited=False),
        503: ResponseSpec(
            Health, generate_examples=False, description="A dependency does not respond."
        ),
    },
)
async def ready(
    request: Request[User | None, Any, Any], resources: UseResources
) -> Response[Health]:
    """Readiness: 200 if the database takes writes and the object store responds, else 503.

    Needs no token; operators who send theirs are told about each dependency. The answer is up to a
    second old. Also 503 while the process drains before it stops.
    """
    health = await resources.probe.health()
    is_operator = request.user is not None and request.user.role == "operator"
    return Response(
        health if is_operator else Health(status=health.status),
        status_code=200 if health.status == "up" else 503,
    )


health_router = Router("/health", route_handlers=[live, ready], tags=[SERVICE.name])
