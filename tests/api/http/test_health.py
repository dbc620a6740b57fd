"""Health: a part that hangs or is gone is down, and the answer comes in time all the same."""

import math
from collections.abc import AsyncIterator
from typing import Final
from uuid import uuid4

import anyio
import httpx
import pytest

from api.http import probe
from api.http.authentication.tokens import TokenVerifier
from api.http.errors import IdentityProviderUnavailable
from api.settings import ApiSettings
from tests.api.http.caller import Caller, client_of_api
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import open_upload
from tests.fake_object_store import FakeObjectStore
from tests.read_only import read_only

pytestmark = pytest.mark.anyio

PATHS: Final = ("/api/v1/health", "/api/v1/health/ready")


class HangingObjectStore(FakeObjectStore):
    """Never answers a ping."""

    async def ping(self) -> None:
        await anyio.sleep_forever()


@pytest.fixture
async def hanging(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """An API whose object store hangs."""
    monkeypatch.setattr(probe, "CHECK_SECONDS", 1.0)
    async with client_of_api(settings, HangingObjectStore()) as client:
        yield client


async def test_a_part_that_hangs_is_down_and_delays_the_answer_no_longer_than_a_check(
    hanging: httpx.AsyncClient,
) -> None:
    with anyio.fail_after(30):
        operator = Caller(hanging, user_id=uuid4(), role="operator")
        answer = await operator.get("/api/v1/health/ready")

    assert answer.status_code == 503
    told = answer.json()
    assert (told["status"], told["object_store"], told["database"]) == ("down", "down", "up")


async def test_an_api_without_its_object_store_is_not_ready_but_lives(
    http: httpx.AsyncClient, store: FakeObjectStore
) -> None:
    store.down = True

    assert (await http.get("/api/v1/health/ready")).status_code == 503
    assert (await http.get("/api/v1/health/live")).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_operators_alone_are_told_about_each_part(
    http: httpx.AsyncClient, stranger: Caller, auditor: Caller, operator: Caller, path: str
) -> None:
    assert (await http.get(path)).json() == {"status": "up"}
    assert (await stranger.get(path)).json() == {"status": "up"}
    assert (await auditor.get(path)).json() == {"status": "up"}
    told = (await operator.get(path)).json()
    assert set(told) == {"status", "database", "object_store", "limits", "queue", "projection"}


async def test_a_wrong_token_is_refused_although_none_is_needed(http: httpx.AsyncClient) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    for path in PATHS:
        assert problem(await http.get(path, headers=wrong)) == (401, "unauthorized")


async def test_an_identity_provider_that_is_down_takes_no_instance_out_of_service(
    operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: object) -> None:
        raise IdentityProviderUnavailable

    monkeypatch.setattr(TokenVerifier, "verify", unavailable)
    answer = await operator.get(PATHS[0])
    assert (answer.status_code, answer.json()) == (200, {"status": "up"})


async def test_an_api_is_not_ready_while_its_database_is_read_only_but_reads_go_on(
    http: httpx.AsyncClient,
    owner: Caller,
    operator: Caller,
    postgres_server: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "FRESH_SECONDS", 0.0)
    post_id = (await open_upload(owner))["post_id"]
    async with read_only(postgres_server, database_url):
        assert (await http.get(PATHS[1])).status_code == 503
        told = (await operator.get(PATHS[0])).json()
        assert (told["status"], told["database"]) == ("down", "read_only")
        assert (await owner.get(f"/api/v1/posts/{post_id}")).status_code == 200
    assert (await http.get(PATHS[1])).status_code == 200


class CountingObjectStore(FakeObjectStore):
    """Counts its pings, each of which takes a moment."""

    pings = 0

    async def ping(self) -> None:
        self.pings += 1
        await anyio.sleep(0.01)
        await super().ping()


async def test_a_flood_of_health_checks_asks_the_parts_once(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "FRESH_SECONDS", math.inf)
    store = CountingObjectStore()
    async with client_of_api(settings, store) as http:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(http.get, PATHS[0])
        assert (await http.get(PATHS[1])).status_code == 200
    assert store.pings == 1


async def test_health_is_asked_anew_when_it_is_no_longer_fresh(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "FRESH_SECONDS", 0.0)
    store = CountingObjectStore()
    async with client_of_api(settings, store) as http:
        for _ in range(2):
            assert (await http.get(PATHS[0])).status_code == 200
    assert store.pings == 2
