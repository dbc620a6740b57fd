"""Publishing on a real PostgreSQL: commands in, events and jobs stored, each exactly once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import scalar_row

from domain.decisions import decide
from domain.errors import (
    EventStoreUnavailable,
    PostAlreadyExists,
    PostChanged,
    PostNotFound,
    QueueFull,
    SequenceBehind,
    UserQueueFull,
    VersionConflict,
)
from domain.event_store.publishing import Publishing
from domain.event_store.recorder import Recorder, VersionTaken
from domain.events import topic_of
from domain.jobs import jobs_after
from tests.histories import caption_post, confirm_upload, create_post, publishing_commands
from tests.wrong_clock import database_now

CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


SEQUENCE = "pg_get_serial_sequence('post_events', 'notification_id')"
STORE = """
SELECT append_post_events(
    %(originator_id)s, ARRAY[%(originator_version)s], ARRAY[%(topic)s], ARRAY[%(state)s], '[]', NULL
)
"""


@pytest.fixture
def durable_publishing(database_url: str) -> Iterator[Publishing]:
    """The writer, on a database whose commits wait, as they do on any server but that of tests."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = on").format(name))
    with Publishing(database_url) as publishing:
        yield publishing


def ask(url: str, query: Any) -> list[Any]:
    """The answers to a query of one column."""
    with psycopg.connect(url, row_factory=scalar_row) as connection:
        return connection.execute(query).fetchall()


def test_a_publication_is_stored_in_order_and_read_back(publishing: Publishing) -> None:
    post_id = uuid4()
    outcomes = [publishing.execute(command) for command in publishing_commands(post_id)]
    assert [outcome.position for outcome in outcomes] == [1, 2, 3, 4, 6]
    assert publishing.post(post_id) == outcomes[-1].post
    history = publishing.history(post_id)
    assert history == [event for outcome in outcomes for event in outcome.events]


def test_the_log_has_the_events_of_a_post_in_the_order_of_their_versions(
    publishing: Publishing, database_url: str
) -> None:
    for command in publishing_commands(uuid4()):
        publishing.execute(command)
    in_log = ask(
        database_url, "SELECT originator_version FROM post_events ORDER BY notification_id"
    )
    assert in_log == [1, 2, 3, 4, 5, 6]


def test_an_unknown_post_is_not_found(publishing: Publishing) -> None:
    with pytest.raises(PostNotFound):
        publishing.post(uuid4())


def test_the_job_exists_exactly_when_the_event_does(
    publishing: Publishing, database_url: str
) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    assert ask(database_url, "SELECT id FROM procrastinate_jobs") == []
    publishing.execute(confirm_upload(post_id))
    publishing.execute(confirm_upload(post_id))
    assert ask(database_url, "SELECT args ->> 'post_id' FROM procrastinate_jobs") == [str(post_id)]


def test_a_full_queue_refuses_and_stores_nothing_and_takes_the_same_command_later(
    publishing: Publishing, database_url: str
) -> None:
    first, second = uuid4(), uuid4()
    for post_id in (first, second):
        publishing.execute(create_post(post_id))
    publishing.execute(confirm_upload(first), queue_capacity=1)
    command = confirm_upload(second)
    with pytest.raises(QueueFull) as refused:
        publishing.execute(command, queue_capacity=1)
    assert refused.value.capacity == 1
    assert publishing.post(second).status == "pending"
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    assert publishing.execute(command, queue_capacity=1).post.status == "processing"


def test_a_user_with_a_tenth_of_the_queue_is_refused_and_others_are_not(
    publishing: Publishing, database_url: str
) -> None:
    other, posts = uuid4(), [uuid4() for _ in range(8)]
    for post_id in posts:
        publishing.execute(create_post(post_id))
    publishing.execute(create_post(other, user_id=uuid4()))
    for post_id in posts[:7]:
        publishing.execute(confirm_upload(post_id), queue_capacity=79)
    for capacity, limit in ((79, 7), (10, 5), (1, 5)):
        with pytest.raises(UserQueueFull) as refused:
            publishing.execute(confirm_upload(posts[7]), queue_capacity=capacity)
        assert refused.value.capacity == limit
    assert publishing.post(posts[7]).status == "pending"
    assert publishing.execute(confirm_upload(posts[0]), queue_capacity=79).events == ()
    assert publishing.execute(confirm_upload(other), queue_capacity=79).post.status == "processing"
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    assert publishing.execute(confirm_upload(posts[7]), queue_capacity=79).events


def test_jobs_of_other_lanes_do_not_fill_a_queue(publishing: Publishing, database_url: str) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('bulk', 'any')"
        )
    publishing.execute(confirm_upload(post_id), queue_capacity=1)
    assert publishing.post(post_id).status == "processing"


def test_of_many_who_say_the_same_at_once_one_is_stored(
    publishing: Publishing, database_url: str
) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    with ThreadPoolExecutor(8) as threads:
        said = [threads.submit(publishing.execute, confirm_upload(post_id)) for _ in range(16)]
    assert sum(len(each.result().events) for each in said) == 1
    assert {each.result().post.status for each in said} == {"processing"}
    assert len(ask(database_url, "SELECT id FROM procrastinate_jobs")) == 1


def test_variants_recorded_at_once_publish_the_post_once(publishing: Publishing) -> None:
    post_id = uuid4()
    create, confirm, *variants = publishing_commands(post_id)
    publishing.execute(create)
    publishing.execute(confirm)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(publishing.execute, variants * 2))
    topics = [topic_of(event) for event in publishing.history(post_id)]
    assert topics.count("post.variant_ready") == 3
    assert topics[-1] == "post.published"


def test_positions_appear_in_commit_order_under_concurrent_writers(
    publishing: Publishing, database_url: str
) -> None:
    seen: list[int] = []
    with ThreadPoolExecutor(4) as threads, psycopg.connect(database_url, autocommit=True) as reader:
        writes = [threads.submit(publishing.execute, create_post()) for _ in range(200)]
        while len(seen) < len(writes):
            rows = reader.execute(
                "SELECT notification_id FROM post_events WHERE notification_id > %s ORDER BY 1",
                [seen[-1] if seen else 0],
            )
            seen.extend(row[0] for row in rows)
    assert seen == sorted({each.result().position for each in writes})  # type: ignore[type-var]


def test_an_append_whose_reply_was_lost_is_recognised_as_stored(
    publishing: Publishing, database_url: str
) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    (uploaded,) = publishing.execute(confirm_upload(post_id)).events
    row = publishing.mapper.to_stored_event(uploaded)  # type: ignore[arg-type]
    assert publishing.recorder.insert_events([row]) == [2]
    assert len(ask(database_url, "SELECT id FROM procrastinate_jobs")) == 1


@pytest.mark.parametrize("attempt", range(3))
def test_an_append_that_is_recognised_as_stored_is_durable(
    durable_publishing: Publishing, attempt: int
) -> None:
    del attempt
    recorder = durable_publishing.recorder
    assert isinstance(recorder, Recorder)
    (created,) = decide(None, create_post())
    row = durable_publishing.mapper.to_stored_event(created)  # type: ignore[arg-type]
    # As when the statement was ended between its two commits.
    with recorder.datastore.get_connection() as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(STORE, vars(row))
        connection.execute("RESET synchronous_commit")
        written = connection.execute("SELECT pg_current_wal_insert_lsn() AS lsn").fetchone()
    recorder.insert_events([row])
    with recorder.datastore.get_connection() as connection:
        flushed = connection.execute(
            "SELECT pg_current_wal_flush_lsn() >= %(lsn)s::pg_lsn AS is_flushed", written
        ).fetchone()
    assert flushed == {"is_flushed": True}


def test_an_append_that_is_repeated_while_the_queue_is_full_is_recognised_as_stored(
    publishing: Publishing, database_url: str
) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    outcome = publishing.execute(confirm_upload(post_id), queue_capacity=1)
    (uploaded,) = outcome.events
    row = publishing.mapper.to_stored_event(uploaded)  # type: ignore[arg-type]
    repeated = {"jobs": jobs_after(uploaded, outcome.post), "queue_capacity": 1}
    assert publishing.recorder.insert_events([row], **repeated) == [outcome.position]
    assert len(ask(database_url, "SELECT id FROM procrastinate_jobs")) == 1


def test_another_event_under_the_same_version_is_a_conflict(publishing: Publishing) -> None:
    post_id = uuid4()
    (mine,) = publishing.execute(create_post(post_id)).events
    row = publishing.mapper.to_stored_event(mine)  # type: ignore[arg-type]
    other = type(row)(row.originator_id, row.originator_version, row.topic, b"{}")
    with pytest.raises(VersionTaken):
        publishing.recorder.insert_events([other])
    assert publishing.recorder.insert_events([]) == []


def test_a_writer_that_always_loses_says_so(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    stale = publishing.history(post_id)
    publishing.execute(confirm_upload(post_id))
    monkeypatch.setattr(publishing, "history", lambda _: stale)
    with pytest.raises(VersionConflict):
        publishing.execute(confirm_upload(post_id))


def test_an_id_that_is_taken_is_refused(publishing: Publishing) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    with pytest.raises(PostAlreadyExists):
        publishing.execute(create_post(post_id))
    assert len(publishing.history(post_id)) == 1


def test_a_writer_survives_the_loss_of_its_connections(
    publishing: Publishing, database_url: str
) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    ask(database_url, CUT_OFF)
    assert publishing.execute(confirm_upload(post_id)).post.status == "processing"


def test_a_refusal_of_the_database_is_no_answer_and_stores_nothing(
    publishing: Publishing, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE post_events ADD CHECK (topic <> 'post.created')")
    with pytest.raises(EventStoreUnavailable):
        publishing.execute(create_post())


@pytest.mark.parametrize(
    "statement",
    ["UPDATE post_events SET topic = 'x'", "DELETE FROM post_events", "TRUNCATE post_events"],
)
def test_history_cannot_be_changed_by_accident(
    publishing: Publishing, database_url: str, statement: Any
) -> None:
    publishing.execute(create_post())
    with (
        psycopg.connect(database_url) as connection,
        pytest.raises(psycopg.errors.RestrictViolation, match="never changed or removed"),
    ):
        connection.execute(statement)


def test_its_connections_are_told(publishing: Publishing) -> None:
    publishing.execute(create_post())
    assert publishing.connection_stats()["pool_size"] >= 1


@pytest.mark.parametrize("copied", ["setval(seq, 1, false)", "setval(seq, 2)"])
def test_a_position_at_or_below_the_head_is_refused_for_what_it_is(
    publishing: Publishing, database_url: str, copied: str
) -> None:
    for _ in range(3):
        publishing.execute(create_post())
    ask(database_url, f"SELECT {copied} FROM {SEQUENCE} AS seq".encode())
    with pytest.raises(SequenceBehind, match=r"not above the head of the log, 3: run nova migrate"):
        publishing.execute(create_post())
    assert ask(database_url, "SELECT max(notification_id) FROM post_events") == [3]


def test_a_position_in_a_gap_of_the_log_is_refused(
    publishing: Publishing, database_url: str
) -> None:
    publishing.execute(create_post())
    ask(database_url, f"SELECT setval(seq, 40) FROM {SEQUENCE} AS seq".encode())
    publishing.execute(create_post())
    ask(database_url, f"SELECT setval(seq, 20) FROM {SEQUENCE} AS seq".encode())
    with pytest.raises(SequenceBehind, match="the next position, 21"):
        publishing.execute(create_post())


@pytest.mark.parametrize(
    "passed",
    [
        "UPDATE projection_positions SET position = 9 WHERE projection = 'usage' RETURNING 9",
        "UPDATE log_sealing SET position = 9 RETURNING 9",
    ],
)
def test_a_position_that_a_follower_has_passed_is_refused(
    publishing: Publishing, database_url: str, passed: str
) -> None:
    ask(database_url, passed.encode())
    with pytest.raises(SequenceBehind, match="the next position, 1, is not above"):
        publishing.execute(create_post())


def test_a_command_for_another_version_of_a_post_is_refused(publishing: Publishing) -> None:
    command = create_post()
    publishing.execute(command)
    caption = caption_post(command.post_id, caption="Another")
    with pytest.raises(PostChanged) as refused:
        publishing.execute(caption, expected_version=2)
    assert refused.value.version == 1
    assert publishing.execute(caption, expected_version=1).post.caption == "Another"


def test_behind_a_pooler_a_writer_leaves_nothing_in_the_session(
    database_url: str,
) -> None:
    with Publishing(database_url, pool_size=1, is_pooled=True) as publishing:
        for _ in range(8):
            publishing.execute(create_post())
        recorder = publishing.recorder
        assert isinstance(recorder, Recorder)
        with recorder.datastore.get_connection() as connection:
            left = connection.execute(
                "SELECT (SELECT count(*) FROM pg_prepared_statements) AS prepared,"
                " (SELECT count(*) FROM pg_settings WHERE source = 'session') AS changed"
            ).fetchone()
    assert left == {"prepared": 0, "changed": 0}


def test_the_next_command_has_the_time_of_the_database(
    publishing: Publishing, database_url: str
) -> None:
    assert abs(publishing.now() - database_now(database_url)) < timedelta(minutes=1)
