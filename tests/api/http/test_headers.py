"""Security headers on every response, CORS by setting, and media for any origin."""

from collections.abc import AsyncIterator

import httpx
import pytest
from msgspec.structs import replace

from api.settings import ApiSettings
from tests.api.http.caller import Caller, client_of_api
from tests.api.http.uploads import announcement
from tests.fake_object_store import FakeObjectStore
from transcoder.settings import CorsSettings

pytestmark = pytest.mark.anyio

INIT = "/api/v1/posts/upload/init"
POSTS = "/api/v1/posts"
APP = "https://app.example"


@pytest.fixture
async def strict(settings: ApiSettings, store: FakeObjectStore) -> AsyncIterator[httpx.AsyncClient]:
    """An API for one web app, behind TLS."""
    server = replace(settings.server, hsts_seconds=31_536_000)
    cors = CorsSettings(cors_allow_origins=f"{APP}, https://b.example")
    async with client_of_api(replace(settings, server=server, cors=cors), store) as client:
        yield client


@pytest.mark.parametrize(
    "path", [POSTS, "/api/v1/health/live", "/nowhere", "/docs", "/problems/", "/media/none"]
)
async def test_every_response_tells_browsers_to_be_careful(
    http: httpx.AsyncClient, path: str
) -> None:
    headers = (await http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "strict-transport-security" not in headers


async def test_https_is_demanded_by_setting(strict: httpx.AsyncClient) -> None:
    headers = (await strict.get("/api/v1/health/live")).headers
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


async def test_tokens_and_urls_are_not_stored(owner: Caller) -> None:
    opened = await owner.post(INIT, announcement())
    assert opened.headers["cache-control"] == "no-store"
    body = opened.json()
    renewed = await owner.post(f"{POSTS}/{body['post_id']}/upload/presign", {})
    assert renewed.headers["cache-control"] == "no-store"
    history = await owner.get(f"{POSTS}/{body['post_id']}/events")
    assert history.headers["cache-control"] == "no-store"
    read = await owner.get(f"{POSTS}/{body['post_id']}")
    assert read.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(("origin", "allowed"), [(APP, APP), ("https://evil.example", None)])
async def test_scripts_of_the_allowed_origins_read_responses(
    strict: httpx.AsyncClient, origin: str, allowed: str | None
) -> None:
    answer = await strict.get(POSTS, headers={"Origin": origin})
    assert answer.headers.get("access-control-allow-origin") == allowed
    varies = set(answer.headers["vary"].split(", "))
    assert varies == {"Accept-Encoding", "Authorization", "Origin"}


async def test_by_default_any_origin_may_read(http: httpx.AsyncClient) -> None:
    answer = await http.get(POSTS, headers={"Origin": "https://any.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("origin", [None, APP, "https://evil.example"])
async def test_media_are_the_same_for_every_origin(
    strict: httpx.AsyncClient, origin: str | None
) -> None:
    answer = await strict.get("/media/none", headers={"Origin": origin} if origin else {})
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    assert "vary" not in answer.headers
