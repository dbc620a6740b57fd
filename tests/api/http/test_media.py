"""Media in development: variants of readable posts, cached for a year, and nothing else."""

import hashlib
from typing import Any
from uuid import UUID

import httpx
import pytest
from msgspec.structs import replace

from domain.event_store.publishing import Publishing
from domain.keys import variant_key
from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import CONTENT, open_upload, upload
from tests.fake_object_store import FakeObjectStore
from tests.histories import record_variant

pytestmark = pytest.mark.anyio

PICTURE = b"0123456789" * 100


@pytest.fixture
async def path(owner: Caller, store: FakeObjectStore, publishing: Publishing) -> str:
    post_id = UUID((await upload(owner, store))["post_id"])
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    key = variant_key(post_id, "medium", sha256=sha256)
    store.arrive(key, PICTURE)
    command = record_variant(post_id, "medium")
    stored = replace(command.variant, key=key, sha256=sha256, file_size=len(PICTURE))
    publishing.execute(replace(command, variant=stored))
    await open_upload(owner)
    return f"/media/{key}"


async def test_a_variant_is_served_to_anybody_and_cached_for_a_year(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.content) == (200, PICTURE)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for known in (answer.headers["etag"], f'"x", W/{answer.headers["etag"]}', "*"):
        again = await http.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")


async def test_a_variant_that_img_loaded_can_be_fetched_later(
    http: httpx.AsyncClient, path: str
) -> None:
    for headers in ({}, {"Origin": "https://app.example"}):
        answer = await http.get(path, headers=headers)
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]


async def test_a_range_is_answered_with_the_whole_variant(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path, headers={"Range": "bytes=5-9"})
    assert (answer.status_code, answer.content) == (200, PICTURE)


async def test_a_head_says_what_a_get_would(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.head(path)
    assert answer.status_code == 200
    assert answer.headers["content-length"] == "1000"
    assert answer.headers["content-type"] == "image/jpeg"


async def test_originals_and_anything_else_are_never_served(
    owner: Caller, store: FakeObjectStore, http: httpx.AsyncClient
) -> None:
    opened: dict[str, Any] = await open_upload(owner)
    key = f"uploads/{opened['post_id']}/original"
    store.arrive(key, CONTENT)
    for hidden in (key, "variants/../" + key, "%2e%2e/secrets", "", "variants/none.jpg", "%00"):
        assert (await http.get(f"/media/{hidden}")).status_code == 404


async def test_a_range_of_another_representation_is_answered_with_the_whole_variant(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path, headers={"Range": "bytes=5-9", "If-Range": '"another"'})
    assert (answer.status_code, answer.content) == (200, PICTURE)


async def test_a_variant_is_not_served_as_another_one(http: httpx.AsyncClient, path: str) -> None:
    etag = (await http.get(path)).headers["etag"]
    assert (await http.get(path, headers={"If-Match": etag})).status_code == 200
    refused = await http.get(path, headers={"If-Match": '"another"'})
    assert problem(refused) == (412, "precondition-failed")
