"""A draining API: it serves on, but is not ready and asks for each connection to be closed."""

from typing import Any

import pytest

from api.http.server import DrainMiddleware
from tests.api.http.asgi import application, request

pytestmark = pytest.mark.anyio

READY = "/api/v1/health/ready"
CLOSE = (b"connection", b"close")


@pytest.fixture
def draining() -> DrainMiddleware:
    return DrainMiddleware(application())


async def answer_of(app: DrainMiddleware, path: str) -> tuple[int, bool]:
    """The status of an answer, and whether it closes the connection."""
    start: Any = await request(app, path)
    return start["status"], CLOSE in start["headers"]


@pytest.mark.parametrize("path", [READY, "/api/v1/health", "/api/v1/posts"])
async def test_nothing_is_different_before_it_drains(draining: DrainMiddleware, path: str) -> None:
    assert await answer_of(draining, path) == (200, False)


@pytest.mark.parametrize(
    ("path", "status"),
    [(READY, 503), ("/api/v1/health", 503), ("/api/v1/health/live", 200), ("/api/v1/posts", 200)],
)
async def test_a_draining_api_serves_on_but_is_not_ready(
    draining: DrainMiddleware, path: str, status: int
) -> None:
    draining.start()

    assert await answer_of(draining, path) == (status, True)
