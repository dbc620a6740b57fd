"""A write that reads do not show in time: it is stored, and the client is told to retry later."""

from typing import Any

import anyio
import psycopg
import pytest

from domain.event_store.publishing import Publishing
from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import announcement, open_upload

pytestmark = pytest.mark.anyio


async def hang(*_: Any, **__: Any) -> None:
    await anyio.sleep_forever()


async def lose_the_database(*_: Any, **__: Any) -> None:
    raise psycopg.OperationalError("the connection is lost")


@pytest.mark.parametrize("catch_up", [hang, lose_the_database])
async def test_a_write_that_cannot_be_read_yet_is_stored_and_said_to_be(
    owner: Caller, publishing: Publishing, monkeypatch: pytest.MonkeyPatch, catch_up: Any
) -> None:
    opened = await open_upload(owner)
    monkeypatch.setattr("api.http.writer.VISIBLE_WITHIN_SECONDS", 0.2)
    monkeypatch.setattr("api.http.writer.catch_up", catch_up)

    with anyio.fail_after(30):
        answer = await owner.delete(f"/api/v1/posts/{opened['post_id']}")

    assert problem(answer) == (503, "not-yet-readable")
    assert answer.headers["retry-after"]
    assert publishing.post(opened["post_id"]).status == "deleted"


async def test_a_post_is_not_said_to_be_gone_while_a_read_may_still_show_it(
    owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await open_upload(owner)
    path = f"/api/v1/posts/{opened['post_id']}"
    assert (await owner.delete(path)).status_code == 204
    monkeypatch.setattr("api.http.writer.VISIBLE_WITHIN_SECONDS", 0.2)
    monkeypatch.setattr("api.http.writer.catch_up", hang)
    completion = {"post_id": opened["post_id"], "upload_token": opened["upload_token"]}

    with anyio.fail_after(30):
        deleted = await owner.delete(path)
        completed = await owner.post("/api/v1/posts/upload/complete", completion)
        announced = await owner.post("/api/v1/posts/upload/init", announcement())

    for answer in (deleted, completed, announced):
        assert problem(answer) == (503, "not-yet-readable")
