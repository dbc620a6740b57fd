"""The service around its posts: authentication, problems, capabilities, health, documentation."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import jwt
import psycopg
import pytest
from msgspec.structs import asdict, replace

from api.http import probe
from api.http.authentication.upload_tokens import create_upload_token
from api.settings import ApiSettings
from domain.formats import accepted_content_types
from domain.photo_limits import PHOTO_LIMITS
from domain.recipes import MAX_PIXELS, MAX_SIDE
from tests.api.http.caller import SECRET, Caller, client_of_api
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import announcement
from tests.fake_object_store import FakeObjectStore
from transcoder.settings import PhotoSettings

pytestmark = pytest.mark.anyio


SOON = datetime.now(UTC) + timedelta(hours=1)


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    now = datetime.now(UTC)
    standard = {"sub": str(uuid4()), "iat": now, "exp": now + timedelta(hours=1)}
    return jwt.encode({**standard, **claims}, secret, algorithm=algorithm)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer nonsense",
        "Basic dXNlcjpwYXNz",
        f"Bearer {token('another secret that is also long enough')}",
        f"Bearer {token(exp=datetime.now(UTC) - timedelta(seconds=60))}",
        f"Bearer {token(aud='other-service')}",
        f"Bearer {token(role='superuser')}",
        f"Bearer {token('', algorithm='none')}",
        f"Bearer {create_upload_token(SECRET, uuid4(), expires_at=SOON)}",
    ],
)
async def test_nobody_gets_in_without_a_token_of_ours(
    http: httpx.AsyncClient, authorization: str
) -> None:
    answer = await http.get("/api/v1/posts", headers={"Authorization": authorization})
    assert problem(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_without_a_role_is_that_of_a_user(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/posts", headers={"Authorization": f"Bearer {token()}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nowhere", (404, "not-found")),
        ("GET", "/api/v1/nowhere", (404, "not-found")),
        ("PUT", "/api/v1/posts", (405, "method-not-allowed")),
    ],
)
async def test_what_does_not_exist_is_a_problem_too(
    owner: Caller, http: httpx.AsyncClient, method: str, path: str, expected: tuple[int, str]
) -> None:
    headers = {"Authorization": f"Bearer {token(sub=str(owner.id))}"}
    assert problem(await http.request(method, path, headers=headers)) == expected


async def test_what_breaks_inside_is_an_internal_error_without_its_details(
    owner: Caller, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE posts RENAME TO elsewhere")
    answer = await owner.get("/api/v1/posts")
    assert problem(answer) == (500, "internal-error")
    assert "elsewhere" not in answer.text
    assert "posts" not in answer.text


async def test_a_request_keeps_its_correlation_id_and_gets_one_otherwise(
    http: httpx.AsyncClient,
) -> None:
    mine = str(uuid4())
    answer = await http.get("/api/v1/health/live", headers={"X-Correlation-ID": mine})
    assert answer.headers["x-correlation-id"] == mine
    answer = await http.get("/api/v1/posts", headers={"X-Correlation-ID": "not a uuid"})
    assert answer.status_code == 401
    assert len(answer.headers["x-correlation-id"]) == 36


async def test_capabilities_tell_what_is_accepted_and_produced(http: httpx.AsyncClient) -> None:
    capabilities = (await http.get("/api/v1/capabilities")).json()
    assert capabilities["content_types"] == list(accepted_content_types(heif=True))
    assert capabilities["upload"]["min_bytes"] == 100_000
    assert capabilities["upload"]["max_bytes"] == 50_000_000
    assert capabilities["upload"]["max_side"] == MAX_SIDE
    limits = {limit.pop("content_type"): limit for limit in capabilities["photos"]}
    assert limits == {
        kind: asdict(limit.within(MAX_PIXELS)) for kind, limit in PHOTO_LIMITS.items()
    }
    assert limits["image/jpeg"]["max_pixels"] >= 12_032 * 9_024
    thumbnail = capabilities["variants"][0]
    assert (thumbnail["variant"], thumbnail["max_bytes"]) == ("thumbnail", 30_000)


async def test_heif_that_is_switched_off_is_neither_told_nor_taken(
    settings: ApiSettings, store: FakeObjectStore
) -> None:
    without = replace(settings, photos=PhotoSettings(accept_heif=False, max_megapixels=12))
    async with client_of_api(without, store) as http:
        capabilities = (await http.get("/api/v1/capabilities")).json()
        assert capabilities["content_types"] == ["image/jpeg", "image/png", "image/webp"]
        assert capabilities["upload"]["max_pixels"] == 12_000_000
        limits = {limit["content_type"]: limit for limit in capabilities["photos"]}
        assert limits.keys() == set(capabilities["content_types"])
        assert all(limit["max_pixels"] == 12_000_000 for limit in limits.values())
        assert all(limit["always_accepted_pixels"] <= 12_000_000 for limit in limits.values())
        caller = Caller(http, user_id=uuid4())
        for content_type in ("image/heic", "image/heif", "image/avif"):
            photo = announcement(content_type=content_type)
            answer = await caller.post("/api/v1/posts/upload/init", photo)
            assert answer.status_code == 415


async def test_health_tells_how_every_part_is_doing(
    operator: Caller, store: FakeObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "FRESH_SECONDS", 0.0)
    answer = await operator.get("/api/v1/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "up",
        "database": "up",
        "object_store": "up",
        "limits": "up",
        "queue": {"waiting": 0, "running": 0},
        "projection": {"head": 0, "position": 0, "events": 0},
    }
    store.down = True
    for path in ("/api/v1/health", "/api/v1/health/ready"):
        answer = await operator.get(path)
        assert (answer.status_code, answer.json()["object_store"]) == (503, "down")
    assert (await operator.get("/api/v1/health/live")).status_code == 200


async def test_the_documentation_describes_the_api(http: httpx.AsyncClient) -> None:
    document = (await http.get("/docs/openapi.json")).json()
    assert {
        "/api/v1/posts/upload/init",
        "/api/v1/posts/upload/complete",
        "/api/v1/posts/{post_id}/upload/presign",
        "/api/v1/posts/{post_id}",
        "/api/v1/posts",
        "/api/v1/capabilities",
        "/api/v1/health",
        "/api/v1/health/live",
        "/api/v1/health/ready",
    } <= set(document["paths"])
    assert (await http.get("/docs")).status_code == 200


async def test_the_documentation_gives_the_shape_of_every_answer(http: httpx.AsyncClient) -> None:
    document = (await http.get("/docs/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                for media_type, content in answer.get("content", {}).items():
                    where = f"{method} {path} {status}"
                    assert content["schema"], where
                    is_health = "health" in path and status == "503"
                    is_problem = media_type == "application/problem+json"
                    assert is_problem == (status >= "400" and not is_health), where


async def test_browsers_may_call_from_anywhere(http: httpx.AsyncClient) -> None:
    answer = await http.options(
        "/api/v1/posts",
        headers={
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert answer.status_code in {200, 204}
    assert answer.headers["access-control-allow-origin"] in {"*", "https://app.example"}
