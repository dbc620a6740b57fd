"""An API behind a CDN: variants have the CDN's URLs, and this process serves none of them."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from msgspec.structs import replace

from api.settings import ApiSettings
from domain.event_store.publishing import Publishing
from tests.api.http.caller import Caller, client_of_api
from tests.api.http.uploads import published_post
from tests.fake_object_store import FakeObjectStore

pytestmark = pytest.mark.anyio


@pytest.fixture
async def behind_cdn(
    settings: ApiSettings, store: FakeObjectStore
) -> AsyncIterator[httpx.AsyncClient]:
    with_cdn = replace(settings, cloudfront_url="https://cdn.example/")
    async with client_of_api(with_cdn, store) as client:
        yield client


async def test_the_url_of_a_variant_is_the_cdns_and_media_are_not_served(
    behind_cdn: httpx.AsyncClient, store: FakeObjectStore, publishing: Publishing
) -> None:
    owner = Caller(behind_cdn, user_id=uuid4())
    post = (
        await owner.get(f"/api/v1/posts/{await published_post(owner, store, publishing)}")
    ).json()

    for image in post["images"].values():
        assert image["url"].startswith("https://cdn.example/variants/")
        key = image["url"].removeprefix("https://cdn.example/")
        store.arrive(key, b"a variant")
        assert (await behind_cdn.get(f"/media/{key}")).status_code == 404
