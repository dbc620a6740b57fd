"""If-Match: a change applies to the post that the client has seen, or to none."""

from typing import Any
from uuid import UUID

import anyio
import pytest

from api.http.writer import Writer
from domain.event_store.publishing import Publishing
from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import upload
from tests.fake_object_store import FakeObjectStore
from tests.histories import caption_post, fail_post

pytestmark = pytest.mark.anyio

REFUSED = (412, "precondition-failed")
CHANGES: list[tuple[str, str, object, int]] = [
    ("PATCH", "", {"caption": "Mine"}, 200),
    ("DELETE", "", None, 204),
    ("POST", "/retry", None, 202),
]


@pytest.fixture
async def path(owner: Caller, store: FakeObjectStore, publishing: Publishing) -> str:
    """The path of a post that has failed, and has room in the queue."""
    post_id = (await upload(owner, store))["post_id"]
    publishing.execute(fail_post(UUID(post_id)))
    await owner.send("PATCH", f"/api/v1/posts/{post_id}", {"caption": "First"})
    return f"/api/v1/posts/{post_id}"


@pytest.mark.parametrize(("method", "suffix", "body", "status"), CHANGES)
async def test_a_post_that_has_changed_is_not_changed_unseen(
    owner: Caller, path: str, method: str, suffix: str, body: object, status: int
) -> None:
    seen = (await owner.get(path)).headers["etag"]
    await owner.send("PATCH", path, {"caption": "Second"})
    now = await owner.get(path)

    refused = await owner.send(method, path + suffix, body, **{"If-Match": seen})

    assert problem(refused) == REFUSED
    assert (await owner.get(path)).json() == now.json()
    tags = f'"another", {now.headers["etag"]}'
    accepted = await owner.send(method, path + suffix, body, **{"If-Match": tags})
    assert accepted.status_code == status


@pytest.mark.parametrize(("method", "suffix", "body", "status"), CHANGES)
async def test_any_version_of_a_post_can_be_asked_for(
    owner: Caller, path: str, method: str, suffix: str, body: object, status: int
) -> None:
    accepted = await owner.send(method, path + suffix, body, **{"If-Match": "*"})
    assert accepted.status_code == status


async def test_a_change_between_check_and_write_is_noticed(
    owner: Caller, publishing: Publishing, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = (await owner.get(path)).headers["etag"]
    execute = Writer.execute

    async def execute_late(self: Writer, *args: Any, **options: Any) -> Any:
        other = caption_post(UUID(path[-36:]), user_id=owner.id, caption="Another device")
        await anyio.to_thread.run_sync(publishing.execute, other)
        return await execute(self, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "execute", execute_late)
        refused = await owner.send("PATCH", path, {"caption": "Mine"}, **{"If-Match": seen})

    assert problem(refused) == REFUSED
    assert publishing.post(UUID(path[-36:])).caption == "Another device"


async def test_the_posts_of_others_are_not_there_whatever_a_request_expects(
    stranger: Caller, path: str
) -> None:
    for method, suffix, body, _ in CHANGES:
        refused = await stranger.send(method, path + suffix, body, **{"If-Match": "*"})
        assert problem(refused) == (404, "post-not-found")


async def test_a_representation_that_is_no_longer_current_is_not_sent(
    owner: Caller, path: str
) -> None:
    for each in (path, "/api/v1/posts", "/api/v1/capabilities"):
        etag = (await owner.get(each)).headers["etag"]
        assert (await owner.get(each, **{"If-Match": etag})).status_code == 200
        assert problem(await owner.get(each, **{"If-Match": 'W/"another"'})) == REFUSED
