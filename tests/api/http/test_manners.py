"""HTTP manners: HEAD, Allow, validators, links between pages, compression, all errors at once."""

import re
from typing import Any

import httpx
import pytest

from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import announcement, open_upload

pytestmark = pytest.mark.anyio

INIT = "/api/v1/posts/upload/init"
POSTS = "/api/v1/posts"


@pytest.mark.parametrize("path", ["/api/v1/capabilities", "/docs", "/problems/not-found"])
async def test_head_is_get_without_the_body(http: httpx.AsyncClient, path: str) -> None:
    got, head = await http.get(path), await http.head(path)

    assert (head.status_code, head.content) == (200, b"")
    fresh = {"x-correlation-id"}
    assert {name: head.headers[name] for name in head.headers.keys() - fresh} == {
        name: got.headers[name] for name in got.headers.keys() - fresh
    }


async def test_head_of_nothing_is_the_same_error(http: httpx.AsyncClient) -> None:
    answer = await http.head(POSTS)
    assert (answer.status_code, answer.content) == (401, b"")


async def test_allow_names_the_methods_of_the_path(owner: Caller) -> None:
    opened = await open_upload(owner)
    path = f"{POSTS}/{opened['post_id']}"

    refused = await owner.send("PUT", path)
    options = await owner.send("OPTIONS", path)

    assert problem(refused) == (405, "method-not-allowed")
    for answer in (refused, options):
        allowed = set(answer.headers["allow"].split(", "))
        assert allowed == {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}


async def test_a_created_post_has_a_location(owner: Caller) -> None:
    answer = await owner.post(INIT, announcement())
    assert answer.headers["location"] == f"{POSTS}/{answer.json()['post_id']}"
    assert (await owner.get(answer.headers["location"])).status_code == 200


async def test_pages_are_linked_until_the_last(owner: Caller) -> None:
    posts = [(await open_upload(owner))["post_id"] for _ in range(3)]
    path, seen = f"{POSTS}?limit=2&status=pending", []
    while path:
        answer = await owner.get(path)
        seen += [each["id"] for each in answer.json()["items"]]
        link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("link", ""))
        path = link[1] if link else ""
    assert seen == posts[::-1]


async def test_events_are_linked_too(auditor: Caller, owner: Caller) -> None:
    for _ in range(3):
        await open_upload(owner)
    answer = await auditor.get("/api/v1/audit/events?limit=2&order=oldest")
    link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers["link"])
    assert link
    following = await auditor.get(link[1])
    assert len(following.json()["items"]) == 1
    assert "link" not in following.headers


@pytest.mark.parametrize("path", [POSTS, "/api/v1/capabilities"])
async def test_lists_and_capabilities_are_sent_once(owner: Caller, path: str) -> None:
    first = await owner.get(path)
    again = await owner.get(path, **{"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_a_changed_list_is_sent_again(owner: Caller) -> None:
    first = await owner.get(POSTS)
    await open_upload(owner)
    assert first.headers["vary"] == "Authorization"
    assert (await owner.get(POSTS, **{"If-None-Match": first.headers["etag"]})).status_code == 200


async def test_json_above_a_kilobyte_is_compressed(owner: Caller) -> None:
    for _ in range(4):
        await open_upload(owner)
    plain = await owner.get(POSTS, **{"Accept-Encoding": "identity"})
    compressed = await owner.get(POSTS, **{"Accept-Encoding": "gzip"})
    small = await owner.get(f"{POSTS}?limit=1", **{"Accept-Encoding": "gzip"})

    assert len(plain.content) > 1024
    assert "content-encoding" not in plain.headers
    assert compressed.headers["content-encoding"] == "gzip"
    assert int(compressed.headers["content-length"]) < len(plain.content) / 2
    assert set(compressed.headers["vary"].split(",")) == {"Authorization", "Accept-Encoding"}
    assert compressed.json() == plain.json()
    assert "content-encoding" not in small.headers


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (
            announcement(file_size="150000", sha256="ABC", filename=None, colour="red"),
            {"#/file_size", "#/sha256", "#/filename", "#/colour"},
        ),
        (
            {"caption": "a\0b", "a/b~c": 1},
            {"#/caption", "#/a~1b~0c", "#/filename", "#/content_type", "#/file_size", "#/sha256"},
        ),
        ([], {"#"}),
        ("text", {"#"}),
    ],
)
async def test_all_errors_of_a_body_are_named_at_once(
    owner: Caller, body: Any, errors: set[str]
) -> None:
    answer = await owner.post(INIT, body)

    assert problem(answer) == (400, "invalid-request")
    found = {each["pointer"]: each["detail"] for each in answer.json()["errors"]}
    assert found.keys() == errors
    assert all(found.values())


async def test_a_wrong_parameter_is_named(owner: Caller) -> None:
    answer = await owner.get(f"{POSTS}?limit=0")

    assert problem(answer) == (400, "invalid-query")
    assert [each["parameter"] for each in answer.json()["errors"]] == ["limit"]
