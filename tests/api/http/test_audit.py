"""The audit trail over HTTP: who may ask what, and that asking leaves a trace."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from msgspec.structs import replace

from api.settings import ApiSettings
from domain.event_store.publishing import Publishing
from projections.audit import events as audit
from projections.queries.past_posts import post_after
from tests.api.http.caller import Caller, client_of_api
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import open_upload, published_post, upload
from tests.fake_object_store import FakeObjectStore
from tests.histories import fail_post
from tests.projections.log_tree.sealed_log import SIGNER, Connections, sealed, tamper

pytestmark = pytest.mark.anyio

HISTORY = [
    "post.created",
    "post.uploaded",
    "post.variant_ready",
    "post.variant_ready",
    "post.variant_ready",
    "post.published",
]


@pytest.fixture
def operator(http: httpx.AsyncClient) -> Caller:
    return Caller(http, user_id=uuid4(), role="operator")


def accesses(database_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT actor, role, question, filters, correlation_id "
            "FROM audit_accesses ORDER BY access_id"
        ).fetchall()


async def test_owners_auditors_and_operators_read_the_history_of_a_post(
    owner: Caller,
    auditor: Caller,
    operator: Caller,
    store: FakeObjectStore,
    publishing: Publishing,
) -> None:
    post_id = await published_post(owner, store, publishing)
    answers = [
        await caller.get(f"/api/v1/posts/{post_id}/events") for caller in (owner, auditor, operator)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    items = answers[0].json()["items"]
    assert [item["type"] for item in items] == HISTORY
    assert [item["version"] for item in items] == [1, 2, 3, 4, 5, 6]
    assert items[0]["actor"] == f"user:{owner.id}"
    assert set(items[0]) == {
        "position",
        "post_id",
        "version",
        "type",
        "recorded_at",
        "actor",
        "correlation_id",
        "causation_id",
        "data",
        "verdict",
    }
    assert {item["verdict"] for item in items} == {"unsealed"}


async def test_a_history_says_of_each_event_whether_it_matches_the_sealed_log(
    owner: Caller,
    auditor: Caller,
    store: FakeObjectStore,
    publishing: Publishing,
    connections: Connections,
) -> None:
    post_id = await published_post(owner, store, publishing)
    await sealed(connections, SIGNER)
    history = (await owner.get(f"/api/v1/posts/{post_id}/events")).json()
    assert {item["verdict"] for item in history["items"]} == {"sealed"}
    assert history["findings"] == []
    assert history["signed_by"] is None
    await tamper(connections, "UPDATE post_events SET state = '{}' WHERE topic = 'post.uploaded'")
    history = (await auditor.get(f"/api/v1/posts/{post_id}/events")).json()
    assert [item["verdict"] for item in history["items"]].count("changed") == 1
    assert history["items"][1]["verdict"] == "changed"
    assert [found["what"] for found in history["findings"]] == ["changed"]
    await tamper(connections, "DELETE FROM post_events")
    history = (await auditor.get(f"/api/v1/posts/{post_id}/events")).json()
    assert history["items"] == []
    assert [found["what"] for found in history["findings"]] == ["removed"] * 6


@pytest.fixture
def trusting(settings: ApiSettings) -> ApiSettings:
    """Settings that name the key of the log."""
    log = replace(settings.log, public_key=str(SIGNER.verifier()))
    return replace(settings, log=log)


async def test_with_a_public_key_only_what_it_signed_counts(
    trusting: ApiSettings,
    store: FakeObjectStore,
    publishing: Publishing,
    connections: Connections,
) -> None:
    async with client_of_api(trusting, store) as http:
        owner = Caller(http, user_id=uuid4())
        post_id = await published_post(owner, store, publishing)
        await sealed(connections, SIGNER)
        history = (await owner.get(f"/api/v1/posts/{post_id}/events")).json()
        assert {item["verdict"] for item in history["items"]} == {"sealed"}
        assert history["signed_by"] == str(SIGNER.verifier())
        await tamper(connections, "UPDATE log_checkpoints SET signature = NULL")
        history = (await owner.get(f"/api/v1/posts/{post_id}/events")).json()
        assert {item["verdict"] for item in history["items"]} == {"unproven"}
        assert history["findings"][0]["detail"] == "no signed checkpoint covers it"


async def test_strangers_learn_nothing_of_the_history_of_a_post(
    owner: Caller, stranger: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    for path in ("events", "state?version=1"):
        for asked in (post_id, uuid4()):
            answer = await stranger.get(f"/api/v1/posts/{asked}/{path}")
            assert problem(answer) == (404, "post-not-found")


async def test_a_deleted_post_keeps_its_history_for_its_owner_and_auditors(
    owner: Caller, stranger: Caller, auditor: Caller
) -> None:
    post_id = (await open_upload(owner))["post_id"]
    assert (await owner.delete(f"/api/v1/posts/{post_id}")).status_code == 204
    for caller in (owner, auditor):
        items = (await caller.get(f"/api/v1/posts/{post_id}/events")).json()["items"]
        assert [item["type"] for item in items] == ["post.created", "post.deleted"]
        before = await caller.get(f"/api/v1/posts/{post_id}/state?version=1")
        assert before.json()["status"] == "pending"
        after = await caller.get(f"/api/v1/posts/{post_id}/state?version=2")
        assert problem(after) == (404, "post-not-found")
    answer = await stranger.get(f"/api/v1/posts/{post_id}/events")
    assert problem(answer) == (404, "post-not-found")


async def test_the_state_at_every_version_is_the_fold_of_its_events(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    events = publishing.history(UUID(post_id))
    shown: dict[str, Any] = {}
    for version in range(1, 7):
        shown = (await owner.get(f"/api/v1/posts/{post_id}/state?version={version}")).json()
        folded = post_after(events[:version])
        assert folded is not None
        assert shown["status"] == folded.status
        assert list(shown["images"]) == list(folded.images)
        assert shown["blurhash"] == folded.blurhash
    now = quote(datetime.now(UTC).isoformat())
    last = (await owner.get(f"/api/v1/posts/{post_id}/state?as_of={now}")).json()
    assert last == shown == (await owner.get(f"/api/v1/posts/{post_id}")).json()
    assert last["status"] == "published"


async def test_the_state_at_a_time_holds_what_was_recorded_until_then(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = (await upload(owner, store))["post_id"]
    created, uploaded = publishing.history(UUID(post_id))
    for at, status in (
        (created.recorded_at, "pending"),
        (uploaded.recorded_at - timedelta(microseconds=1), "pending"),
        (uploaded.recorded_at, "processing"),
    ):
        path = f"/api/v1/posts/{post_id}/state?as_of={quote(at.isoformat())}"
        assert (await owner.get(path)).json()["status"] == status
    before = quote((created.recorded_at - timedelta(seconds=1)).isoformat())
    answer = await owner.get(f"/api/v1/posts/{post_id}/state?as_of={before}")
    assert problem(answer) == (404, "post-not-found")
    nothing = await owner.get(f"/api/v1/posts/{post_id}/state?version=0")
    assert problem(nothing) == (404, "post-not-found")


async def test_a_failed_post_shows_its_failure_as_the_post_itself_does(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = (await upload(owner, store))["post_id"]
    publishing.execute(fail_post(UUID(post_id)))
    await open_upload(owner)
    shown = (await owner.get(f"/api/v1/posts/{post_id}/state?version=3")).json()
    assert shown == (await owner.get(f"/api/v1/posts/{post_id}")).json()
    assert shown["failure"]["code"] == "internal_error"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?as_of=2026-11-23T12:00:00Z&version=1",
        "?as_of=2026-11-23T12:00:00",
        "?as_of=yesterday",
        "?version=-1",
        "?version=one",
        f"?version={2**63}",
    ],
)
async def test_an_odd_question_about_a_state_is_refused(owner: Caller, query: str) -> None:
    post_id = (await open_upload(owner))["post_id"]
    answer = await owner.get(f"/api/v1/posts/{post_id}/state{query}")
    assert problem(answer) == (400, "invalid-query")


async def test_the_whole_log_is_for_auditors_and_operators_only(
    owner: Caller, auditor: Caller, operator: Caller, database_url: str
) -> None:
    await open_upload(owner)
    for query in ("", "?format=ndjson"):
        refused = await owner.get(f"/api/v1/audit/events{query}")
        assert problem(refused) == (403, "insufficient-role")
    assert accesses(database_url) == []
    for caller in (auditor, operator):
        assert len((await caller.get("/api/v1/audit/events")).json()["items"]) == 1


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_pages_follow_each_other_and_the_stream_is_all_of_them(
    owner: Caller,
    auditor: Caller,
    store: FakeObjectStore,
    publishing: Publishing,
    order: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)
    await published_post(owner, store, publishing)
    path = f"/api/v1/audit/events?order={order}"
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (await auditor.get(f"{path}&limit=3{cursor}")).json()
        items += page["items"]
        if page["next_after"] is None:
            break
        cursor = f"&after={page['next_after']}"
    positions = [item["position"] for item in items]
    assert positions == sorted(positions, reverse=order == "newest")
    assert len(positions) == 7
    stream = await auditor.get(f"{path}&format=ndjson")
    assert stream.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in stream.text.splitlines()] == items
    some = await auditor.get(f"{path}&format=ndjson&limit=3&after={positions[1]}")
    assert [json.loads(line) for line in some.text.splitlines()] == items[2:5]
    nothing = await auditor.get(f"{path}&format=ndjson&actor=nobody")
    assert (nothing.status_code, nothing.text) == (200, "")


async def test_filters_narrow_the_log(
    owner: Caller, stranger: Caller, auditor: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    await open_upload(stranger)
    since = quote(datetime.now(UTC).isoformat())
    for query, count in (
        ("type=post.created", 3),
        (f"post_id={post_id}", 6),
        (f"user_id={owner.id}", 7),
        (f"user_id={stranger.id}", 1),
        (f"actor=user:{stranger.id}", 1),
        (f"type=post.published&user_id={owner.id}", 1),
        (f"since={since}", 0),
        (f"until={since}&actor=user:{owner.id}", 3),
    ):
        answer = await auditor.get(f"/api/v1/audit/events?{query}")
        assert len(answer.json()["items"]) == count, query


@pytest.mark.parametrize(
    "query",
    [
        "type=post.vanished",
        "post_id=1",
        "user_id=me",
        "actor=%00",
        "since=2026-11-23T12:00:00",
        "until=soon",
        "after=-1",
        f"after={2**63}",
        "limit=0",
        "limit=1001",
        "order=random",
        "format=xml",
    ],
)
async def test_an_odd_question_about_the_log_is_refused(
    auditor: Caller, database_url: str, query: str
) -> None:
    answer = await auditor.get(f"/api/v1/audit/events?{query}")
    assert problem(answer) == (400, "invalid-query")
    assert accesses(database_url) == []


async def test_reading_what_others_did_is_recorded_and_reading_ones_own_is_not(
    owner: Caller, auditor: Caller, database_url: str
) -> None:
    post_id = (await open_upload(owner))["post_id"]
    own = (await open_upload(auditor))["post_id"]
    await owner.get(f"/api/v1/posts/{post_id}/events")
    await auditor.get(f"/api/v1/posts/{own}/events")
    assert accesses(database_url) == []
    correlation_id = uuid4()
    asked = {"X-Correlation-ID": str(correlation_id)}
    paths = (
        f"/api/v1/posts/{post_id}/events",
        f"/api/v1/posts/{post_id}/state?version=1",
        f"/api/v1/audit/events?type=post.failed&actor=user:{owner.id}",
        "/api/v1/audit/events?format=ndjson",
    )
    for path in paths:
        assert (await auditor.get(path, **asked)).status_code == 200
    recorded = accesses(database_url)
    assert [row[2] for row in recorded] == [path.partition("?")[0] for path in paths]
    assert {row[:2] for row in recorded} == {(f"user:{auditor.id}", "auditor")}
    assert {row[4] for row in recorded} == {correlation_id}
    assert recorded[1][3] == {"version": "1"}
    assert recorded[2][3] == {"type": "post.failed", "actor": f"user:{owner.id}"}
    assert recorded[3][3] == {"format": "ndjson"}


async def test_what_cannot_be_recorded_is_not_answered(
    owner: Caller, auditor: Caller, database_url: str
) -> None:
    await open_upload(owner)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE audit_accesses RENAME TO hidden")
    assert problem(await auditor.get("/api/v1/audit/events"))[0] == 500


async def test_the_questions_are_documented(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/docs/openapi.json")).json()["paths"]
    asked = {each["name"] for each in paths["/api/v1/audit/events"]["get"]["parameters"]}
    assert {"type", "post_id", "user_id", "actor", "since", "until"} <= asked
    assert {"after", "limit", "order", "format"} <= asked
    assert "/api/v1/posts/{post_id}/state" in paths
