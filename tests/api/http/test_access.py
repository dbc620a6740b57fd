"""Access: every route, with every role, on a post in every state, as docs/security.md says."""

from contextlib import AbstractAsyncContextManager

import httpx
import pytest
from msgspec.structs import replace

from api.http.app import create_app
from api.http.resources import Resources, resources_with
from api.settings import ApiSettings, UploadSettings
from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from tests.api.http.access_table import (
    CALLERS,
    cells_of,
    post_in,
    status_of,
    written_table,
)
from tests.fake_object_store import FakeObjectStore
from tests.sql import Connections

pytestmark = pytest.mark.anyio


async def test_everyone_may_do_what_the_table_says_and_nothing_else(
    settings: ApiSettings,
    store: FakeObjectStore,
    publishing: Publishing,
    connections: Connections,
) -> None:
    roomy = replace(settings, uploads=UploadSettings(queue_capacity=100_000))

    def open_resources(settings: ApiSettings) -> AbstractAsyncContextManager[Resources]:
        return resources_with(store, settings)

    app = create_app(roomy, open_resources=open_resources)
    # Each cell has a post of its own: what a caller may do changes it.
    posts = {cell: post_in(cell[1], publishing, store) for cell in cells_of(app)}
    await catch_up(connections, POSTS, position=None)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://api.example") as http,
    ):
        measured = {cell: await status_of(http, cell, post) for cell, post in posts.items()}

    assert measured == written_table(), "\n".join(_rows(measured))


def _rows(measured: dict[tuple[str, str, str], int]) -> list[str]:
    """The table as measured, to compare with the page."""
    found: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for route, state in dict.fromkeys((route, state) for route, state, _ in measured):
        statuses = tuple(measured[route, state, caller] for caller in CALLERS)
        found.setdefault((route, statuses), []).append(state)
    return [
        f"| `{route}` | {', '.join(states)} | {' | '.join(map(str, statuses))} |"
        for (route, statuses), states in found.items()
    ]
