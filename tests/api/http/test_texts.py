"""The texts of a post: caption and alternative text, at announcement and later."""

from typing import Any

import httpx
import pytest

from domain.event_store.publishing import Publishing
from projections.follow.projection import POSTS
from projections.rebuild.verify import verify
from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import announcement, open_upload, published_post
from tests.fake_object_store import FakeObjectStore
from tests.sql import Connections

pytestmark = pytest.mark.anyio

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


async def opened_with(caller: Caller, **texts: Any) -> tuple[str, dict[str, Any]]:
    """The path of a new post, and the post."""
    answer = await caller.post("/api/v1/posts/upload/init", announcement(**texts))
    assert answer.status_code == 201, answer.text
    path = answer.headers["location"]
    return path, (await caller.get(path)).json()


async def test_an_announced_photo_may_have_an_alternative_text(owner: Caller) -> None:
    _, post = await opened_with(owner, alt="A lake")
    assert (post["caption"], post["alt"]) == ("A quiet morning", "A lake")
    _, post = await opened_with(owner, caption=None)
    assert (post["caption"], post["alt"]) == (None, None)


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ({"caption": "Later"}, ("Later", "A lake")),
        ({"alt": "Two lakes"}, ("A quiet morning", "Two lakes")),
        ({"caption": None, "alt": None}, (None, None)),
        ({}, ("A quiet morning", "A lake")),
    ],
)
async def test_the_owner_changes_the_texts(
    owner: Caller, change: dict[str, Any], texts: tuple[str | None, str | None]
) -> None:
    path, _ = await opened_with(owner, alt="A lake")

    answer = await owner.send("PATCH", path, change)

    assert answer.status_code == 200
    post = (await owner.get(path)).json()
    assert answer.json() == post
    assert (post["caption"], post["alt"]) == texts


async def test_the_history_keeps_every_text_and_the_tables_agree(
    owner: Caller, connections: Connections
) -> None:
    path, _ = await opened_with(owner)
    await owner.send("PATCH", path, {"caption": "Later"})
    await owner.send("PATCH", path, {"caption": None, "alt": "A lake"})

    events = (await owner.get(f"{path}/events")).json()["items"]
    earlier = (await owner.get(f"{path}/state?version=2")).json()
    async with connections.connection() as connection:
        found = await verify(connection, POSTS)

    assert [each["type"] for each in events] == ["post.created", *["post.captioned"] * 2]
    assert [each["data"]["caption"] for each in events] == ["A quiet morning", "Later", None]
    assert (earlier["caption"], earlier["alt"]) == ("Later", None)
    assert found.differences == []


async def test_strangers_change_no_texts(
    owner: Caller, stranger: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    path = f"/api/v1/posts/{await published_post(owner, store, publishing)}"
    answer = await stranger.send("PATCH", path, {"caption": "Mine"})
    assert problem(answer) == (404, "post-not-found")
    assert (await stranger.get(path)).json()["caption"] == "A quiet morning"


async def test_a_deleted_post_has_no_texts_to_change(owner: Caller) -> None:
    path, _ = await opened_with(owner)
    await owner.delete(path)
    answer = await owner.send("PATCH", path, {"caption": "Late"})
    assert problem(answer) == (404, "post-not-found")


@pytest.mark.parametrize(("field", "longest"), [("caption", 2200), ("alt", 1500)])
async def test_texts_are_measured_in_code_points(
    owner: Caller, http: httpx.AsyncClient, field: str, longest: int
) -> None:
    path = f"/api/v1/posts/{(await open_upload(owner))['post_id']}"
    # One character to a reader, five code points, eight UTF-16 units.
    text = FAMILY * (longest // 5)
    assert (await owner.send("PATCH", path, {field: text})).status_code == 200
    answer = await owner.send("PATCH", path, {field: text + "!"})
    assert problem(answer) == (400, "invalid-request")
    assert [each["pointer"] for each in answer.json()["errors"]] == [f"#/{field}"]
    limits = (await http.get("/api/v1/capabilities")).json()["upload"]
    assert limits[f"max_{field}_characters"] == longest
