"""Posts over HTTP: who sees what, page by page, and never twice the same bytes."""

from uuid import UUID

import anyio
import httpx
import psycopg
import pytest

from domain.event_store.publishing import Publishing
from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import open_upload, published_post, upload
from tests.fake_object_store import FakeObjectStore
from tests.histories import fail_post, record_variant

pytestmark = pytest.mark.anyio


async def test_a_published_post_shows_its_images_to_everybody(
    owner: Caller, stranger: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    post = (await stranger.get(f"/api/v1/posts/{post_id}")).json()
    assert set(post) == {
        "id",
        "user_id",
        "caption",
        "alt",
        "status",
        "image_key",
        "images",
        "blurhash",
        "dominant_colour",
        "like_count",
        "comment_count",
        "view_count",
        "created_at",
        "updated_at",
        "upload_expires_at",
        "published_at",
    }
    assert post["status"] == "published"
    assert post["published_at"].endswith("Z")
    assert post["images"]["medium"] == {
        "url": f"http://api.example/media/{record_variant(UUID(post_id), 'medium').variant.key}",
        "width": 150,
        "height": 113,
        "file_size": 4321,
        "content_type": "image/jpeg",
    }


async def test_variants_appear_as_they_get_ready(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = (await upload(owner, store))["post_id"]
    publishing.execute(record_variant(UUID(post_id), "thumbnail"))
    await open_upload(owner)
    post = (await owner.get(f"/api/v1/posts/{post_id}")).json()
    assert (post["status"], list(post["images"])) == ("processing", ["thumbnail"])


async def test_a_failed_post_tells_its_owner_why_and_others_nothing(
    owner: Caller, stranger: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = (await upload(owner, store))["post_id"]
    publishing.execute(fail_post(UUID(post_id)))
    await open_upload(owner)
    post = (await owner.get(f"/api/v1/posts/{post_id}")).json()
    assert post["failure"] == {"code": "internal_error", "message": "The photo is damaged."}
    assert problem(await stranger.get(f"/api/v1/posts/{post_id}")) == (404, "post-not-found")


@pytest.mark.parametrize("code", ["cancelled", "internal_error"])
async def test_the_owner_has_a_failed_photo_tried_again(
    owner: Caller, stranger: Caller, store: FakeObjectStore, publishing: Publishing, code: str
) -> None:
    post_id = (await upload(owner, store))["post_id"]
    path = f"/api/v1/posts/{post_id}"
    publishing.execute(fail_post(UUID(post_id), code=code))
    await open_upload(owner)
    assert problem(await stranger.post(f"{path}/retry", None)) == (404, "post-not-found")
    for _ in range(2):
        accepted = await owner.post(f"{path}/retry", None)
        assert (accepted.status_code, accepted.headers["location"]) == (202, path)
    post = (await owner.get(path)).json()
    assert (post["status"], "failure" in post) == ("processing", False)
    history = (await owner.get(f"{path}/events")).json()["items"]
    assert [event["type"] for event in history][-2:] == ["post.failed", "post.retried"]


async def test_a_photo_that_can_never_be_published_is_not_tried_again(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = (await upload(owner, store))["post_id"]
    publishing.execute(fail_post(UUID(post_id), code="corrupt_image"))
    answer = await owner.post(f"/api/v1/posts/{post_id}/retry", None)
    assert problem(answer) == (409, "permanently-failed")


async def test_a_photo_is_tried_again_five_times(
    owner: Caller, store: FakeObjectStore, publishing: Publishing, database_url: str
) -> None:
    post_id = (await upload(owner, store))["post_id"]
    retry = f"/api/v1/posts/{post_id}/retry"
    publishing.execute(fail_post(UUID(post_id)))
    for _ in range(5):
        with psycopg.connect(database_url) as connection:
            # As if a worker had run it.
            connection.execute("DELETE FROM procrastinate_jobs")
        assert (await owner.post(retry, None)).status_code == 202
        publishing.execute(fail_post(UUID(post_id)))
    assert problem(await owner.post(retry, None)) == (409, "retries-exhausted")


async def test_a_published_photo_is_not_tried_again(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    answer = await owner.post(f"/api/v1/posts/{post_id}/retry", None)
    assert problem(answer) == (409, "post-not-failed")


async def test_a_photo_is_not_tried_again_while_the_queue_is_full(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = (await upload(owner, store))["post_id"]
    publishing.execute(fail_post(UUID(post_id)))
    await upload(owner, store)
    answer = await owner.post(f"/api/v1/posts/{post_id}/retry", None)
    assert problem(answer) == (503, "queue-full")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_has_not_changed_is_not_sent_again(
    owner: Caller, store: FakeObjectStore, database_url: str
) -> None:
    path = f"/api/v1/posts/{(await upload(owner, store))['post_id']}"
    first = await owner.get(path)
    again = await owner.get(path, **{"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE post_metadata SET like_count = 1")
    changed = await owner.get(path, **{"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.json()["like_count"] == 1


async def test_a_deleted_post_is_gone_from_every_read_at_once(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    image = (await owner.get(f"/api/v1/posts/{post_id}")).json()["images"]["medium"]
    answer = await owner.delete(f"/api/v1/posts/{post_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    gone = [
        await owner.get(f"/api/v1/posts/{post_id}"),
        await owner.delete(f"/api/v1/posts/{post_id}"),
    ]
    assert [problem(each) for each in gone] == [(404, "post-not-found")] * 2
    listed = (await owner.get("/api/v1/posts")).json()["items"]
    assert post_id not in {post["id"] for post in listed}
    media = await owner.get(httpx.URL(image["url"]).path)
    assert media.status_code == 404


async def test_whoever_is_told_that_a_post_is_gone_never_reads_it_again(owner: Caller) -> None:
    for _ in range(5):
        path = f"/api/v1/posts/{(await open_upload(owner))['post_id']}"
        read_after: list[int] = []

        async def delete_and_read(path: str = path, read: list[int] = read_after) -> None:
            assert (await owner.delete(path)).status_code in {204, 404}
            read.append((await owner.get(path)).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(delete_and_read)
        assert read_after == [404] * 6


async def test_only_the_owner_can_delete(
    owner: Caller, stranger: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    answer = await stranger.delete(f"/api/v1/posts/{post_id}")
    assert problem(answer) == (404, "post-not-found")
    assert (await owner.get(f"/api/v1/posts/{post_id}")).status_code == 200


async def test_pages_follow_each_other_newest_first(owner: Caller) -> None:
    opened = [(await open_upload(owner))["post_id"] for _ in range(5)]
    seen: list[str] = []
    path = f"/api/v1/posts?user_id={owner.id}&limit=2"
    cursor = ""
    while True:
        page = (await owner.get(path + cursor)).json()
        seen += [post["id"] for post in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == opened[::-1]


async def test_lists_show_others_only_what_is_published(
    owner: Caller, stranger: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    for path in ("/api/v1/posts", f"/api/v1/posts?user_id={owner.id}"):
        items = (await stranger.get(path)).json()["items"]
        assert [post["id"] for post in items] == [post_id]
    pending = (await owner.get("/api/v1/posts?status=pending")).json()["items"]
    assert [post["status"] for post in pending] == ["pending"]


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("limit=0", "invalid-query"),
        ("limit=101", "invalid-query"),
        ("limit=x", "invalid-query"),
        ("status=deleted", "invalid-query"),
        ("user_id=me", "invalid-query"),
        ("cursor=nonsense", "invalid-cursor"),
        ("cursor=%00", "invalid-cursor"),
        ("cursor=w5Ksw6nDqQ", "invalid-cursor"),
    ],
)
async def test_a_wrong_question_is_refused(owner: Caller, query: str, kind: str) -> None:
    assert problem(await owner.get(f"/api/v1/posts?{query}")) == (400, kind)


@pytest.mark.parametrize("post_id", ["0d90be1a-8ea7-4d1a-8d85-37d744427262", "x", "..", "%00", "0"])
async def test_an_id_that_is_no_post_is_not_found(owner: Caller, post_id: str) -> None:
    answer = await owner.get(f"/api/v1/posts/{post_id}")
    assert problem(answer)[0] == 404
