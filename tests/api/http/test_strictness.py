"""Requests are read strictly: bodies, content types, names of fields and parameters, file names."""

from typing import Any

import httpx
import pytest

from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import announcement, open_upload

pytestmark = pytest.mark.anyio

INIT = "/api/v1/posts/upload/init"
POSTS = "/api/v1/posts"


async def post_bytes(owner: Caller, content: bytes, content_type: str | None) -> httpx.Response:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return await owner.post_bytes(INIT, content, **headers)


@pytest.mark.parametrize(
    "body",
    [
        b'{"filename":"\xff"}',
        b'{"filename":"\xed\xa0\x80"}',
        b"{",
        b"",
        b'{"caption":"one","caption":"other"}',
        b'{"sha256":{"a":1,"a":2}}',
    ],
)
async def test_a_body_that_is_no_clear_json_is_the_clients_error(
    owner: Caller, body: bytes
) -> None:
    answer = await post_bytes(owner, body, "application/json")
    assert problem(answer) == (400, "invalid-request")


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "image/jpeg", "application/x-www-form-urlencoded"]
)
async def test_a_body_of_another_type_is_refused(owner: Caller, content_type: str | None) -> None:
    answer = await post_bytes(owner, b"{}", content_type)
    assert problem(answer) == (415, "not-json")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_may_name_its_encoding(owner: Caller, content_type: str) -> None:
    assert problem(await post_bytes(owner, b"{}", content_type)) == (400, "invalid-request")


@pytest.mark.parametrize(
    "query", ["colour=red", "limit=1&limit=50", "x=%00", "%00", "limt=5", "user_id=&user_id="]
)
async def test_unknown_and_repeated_parameters_are_refused(owner: Caller, query: str) -> None:
    assert problem(await owner.get(f"{POSTS}?{query}")) == (400, "invalid-query")


@pytest.mark.parametrize("path", ["events", "state"])
async def test_nul_in_a_query_of_an_auditor_is_refused(
    auditor: Caller, owner: Caller, path: str
) -> None:
    opened = await open_upload(owner)
    answer = await auditor.get(f"{POSTS}/{opened['post_id']}/{path}?x=%00&version=1")
    assert problem(answer) == (400, "invalid-query")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a\x1b[2Jb\r\n.jpg", "a[2Jb.jpg"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("a\u2066b\u2028c\x85.jpg", "abc.jpg"),
        ("\u0645\u06cc\u200c\u062e.jpg", "\u0645\u06cc\u200c\u062e.jpg"),
        ("\x07", "unnamed"),
        ("Grüße 写真.jpg", "Grüße 写真.jpg"),
    ],
)
async def test_file_names_keep_what_can_be_printed(owner: Caller, sent: str, kept: str) -> None:
    opened = await open_upload(owner, filename=sent)
    history = await owner.get(f"{POSTS}/{opened['post_id']}/events")
    created: dict[str, Any] = history.json()["items"][0]
    assert created["data"]["filename"] == kept


async def test_users_with_one_correlation_id_are_not_one_chain(
    owner: Caller, stranger: Caller
) -> None:
    chosen = "6f6d1c0c-3d63-4d6e-9d7b-0f3e5d2c1b4a"
    events = []
    for user in (owner, stranger):
        opened = await user.post_with(INIT, announcement(), **{"X-Correlation-ID": chosen})
        history = await user.get(f"{POSTS}/{opened.json()['post_id']}/events")
        events += history.json()["items"]
    assert {event["correlation_id"] for event in events} == {chosen}
    assert len({event["causation_id"] for event in events} | {chosen}) == 3
