"""What may be cached, and as what: posts by one browser, variants as nothing but images."""

from uuid import uuid4

import httpx
import pytest

from domain.event_store.publishing import Publishing
from domain.keys import variant_key
from tests.api.http.caller import Caller
from tests.api.http.uploads import published_post
from tests.fake_object_store import FakeObjectStore

pytestmark = pytest.mark.anyio


async def test_a_post_is_kept_by_the_browser_and_asked_for_each_time(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    path = f"/api/v1/posts/{post_id}"
    answer = await owner.get(path)
    assert answer.headers["cache-control"] == "private, no-cache"
    again = await owner.get(path, **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "private, no-cache")


async def test_a_browser_takes_a_variant_for_nothing_but_an_image(
    http: httpx.AsyncClient, owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    post = (await owner.get(f"/api/v1/posts/{post_id}")).json()
    url = post["images"]["medium"]["url"]
    key = url.partition("/media/")[2]
    store.arrive(key, b"<script>")
    answer = await http.get(f"/media/{key}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_stored_variant_of_no_readable_post_is_not_served(
    http: httpx.AsyncClient, store: FakeObjectStore
) -> None:
    key = variant_key(uuid4(), "medium", sha256="a" * 64)
    store.arrive(key, b"a variant")
    assert (await http.get(f"/media/{key}")).status_code == 404
