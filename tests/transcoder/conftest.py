"""Fixtures of the transcoder's tests: fakes around it, and real photos where there are any."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from procrastinate import App

from domain.event_store.publishing import Publishing
from tests.fake_object_store import FakeObjectStore
from tests.sql import Connections
from tests.transcoder.rendered import FakeRenderer
from transcoder.processing.limits.heap import keep_freed_memory
from transcoder.queue.app import open_queue
from transcoder.tasks import add_tasks, assemble

_PHOTOS: Final = Path(__file__).parents[3] / "shared" / "photos"


@pytest.fixture(scope="session", autouse=True)
def memory_as_in_image_processes() -> None:
    """Keep freed memory: half of the time of a picture would be page faults."""
    keep_freed_memory()


@pytest.fixture
def photos() -> Path:
    """The folder of real photos; they are not the project's, so it may be absent."""
    if not _PHOTOS.is_dir():
        pytest.skip(f"there are no photos in {_PHOTOS}")
    return _PHOTOS


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def renderer() -> FakeRenderer:
    return FakeRenderer()


@pytest.fixture
async def queue(
    database_url: str,
    publishing: Publishing,
    connections: Connections,
    store: FakeObjectStore,
    renderer: FakeRenderer,
) -> AsyncIterator[App]:
    """The real queue, with every task around these fakes."""
    queue = open_queue(database_url, pool_size=3)
    parts = assemble(
        publishing=publishing,
        store=store,
        connections=connections,
        renderer=renderer,
        bulk_renderer=renderer,
    )
    add_tasks(queue, parts)
    async with queue.open_async():
        yield queue
