"""Where the URLs of variants lead: to the CDN, or else to where clients reach this API."""

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


async def test_without_a_cdn_the_url_of_a_variant_names_where_clients_reach_the_api(
    settings: ApiSettings, store: FakeObjectStore, publishing: Publishing
) -> None:
    server = replace(settings.server, public_url="https://tunnel.example/")
    async with client_of_api(replace(settings, server=server), store) as client:
        owner = Caller(client, user_id=uuid4())
        post_id = await published_post(owner, store, publishing)
        post = (await owner.get(f"/api/v1/posts/{post_id}")).json()
    for image in post["images"].values():
        assert image["url"].startswith("https://tunnel.example/media/variants/")
