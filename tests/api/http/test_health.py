"""Health: a part that hangs or is gone is down, and the answer comes in time all the same."""

from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from api.http.routes import health
from api.settings import ApiSettings
from tests.api.http.caller import client_of_api
from tests.fake_object_store import FakeObjectStore

pytestmark = pytest.mark.anyio


class HangingObjectStore(FakeObjectStore):
    """Never answers a ping."""

    async def ping(self) -> None:
        await anyio.sleep_forever()


@pytest.fixture
async def hanging(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """An API whose object store hangs."""
    monkeypatch.setattr(health, "CHECK_SECONDS", 1.0)
    async with client_of_api(settings, HangingObjectStore()) as client:
        yield client


async def test_a_part_that_hangs_is_down_and_delays_the_answer_no_longer_than_a_check(
    hanging: httpx.AsyncClient,
) -> None:
    with anyio.fail_after(30):
        answer = await hanging.get("/api/v1/health/ready")

    assert answer.status_code == 503
    told = answer.json()
    assert (told["status"], told["object_store"], told["database"]) == ("down", "down", "up")


async def test_an_api_without_its_object_store_is_not_ready_but_lives(
    http: httpx.AsyncClient, store: FakeObjectStore
) -> None:
    store.down = True

    assert (await http.get("/api/v1/health/ready")).status_code == 503
    assert (await http.get("/api/v1/health/live")).status_code == 200
