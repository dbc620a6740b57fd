"""`nova audit` as a process on a real database, as tables and as JSON."""

import base64
import json
import subprocess
from pathlib import Path
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import psycopg
import pytest

from domain.event_store.publishing import Publishing
from tests.acceptance.commands import NOVA, TIMEOUT_SECONDS, bare_environ, run_nova
from tests.histories import OWNER, confirm_upload, create_post, fail_post, publishing_commands

SIGNING_KEY = base64.b64encode(bytes(32)).decode()


def run_audit(
    *words: str | Path | UUID, url: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end."""
    environ = {"DATABASE_URL": url} if url else {}
    return run_nova("audit", *words, AUDIT_SIGNING_KEY=SIGNING_KEY, **environ)


@pytest.fixture
def published(publishing: Publishing) -> UUID:
    """A published post, beside one that failed."""
    post_id, failed = uuid4(), uuid4()
    for command in (
        *publishing_commands(post_id),
        create_post(failed),
        confirm_upload(failed),
        fail_post(failed),
    ):
        publishing.execute(command)
    return post_id


def test_post_tells_the_history_of_one_post(database_url: str, published: UUID) -> None:
    for_people = run_audit("post", published, url=database_url)
    assert for_people.returncode == 0, for_people.stderr
    for kind in ("post.created", "post.uploaded", "post.variant_ready", "post.published"):
        assert kind in for_people.stdout
    history = json.loads(run_audit("post", published, "--json", url=database_url).stdout)
    assert [event["version"] for event in history["items"]] == [1, 2, 3, 4, 5, 6]
    assert {event["verdict"] for event in history["items"]} == {"unsealed"}
    nobody = run_audit("post", uuid4(), url=database_url)
    assert nobody.returncode == 1
    assert "Traceback" not in nobody.stderr


def test_a_forged_event_is_shown_as_changed_and_never_proven(
    database_url: str, published: UUID
) -> None:
    assert run_audit("verify", "--seal", url=database_url).returncode == 0
    good = run_audit("post", published, url=database_url)
    assert good.returncode == 0
    assert good.stdout.startswith("OK: 6 events match the log signed by nova-publishing/log+")
    unchecked = run_nova("audit", "post", published, DATABASE_URL=database_url).stdout
    assert "signatures unchecked (AUDIT_PUBLIC_KEY is not set)" in unchecked
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE post_events DISABLE TRIGGER ALL")
        connection.execute("UPDATE post_events SET topic = 'post.failed' WHERE notification_id = 2")
    forged = run_audit("post", published, url=database_url)
    assert forged.returncode == 1
    assert forged.stdout.startswith(
        f"FAILED: event 2 of post {published} at position 2 was changed"
    )
    assert [line.split()[0] for line in forged.stdout.splitlines()[2:]] == [
        *("sealed", "changed"),
        *["sealed"] * 4,
    ]
    history = json.loads(run_audit("post", published, "--json", url=database_url).stdout)
    assert [finding["what"] for finding in history["findings"]] == ["changed"]
    proof = run_audit("prove", "2", url=database_url)
    assert (proof.returncode, proof.stdout) == (1, "")
    assert "position 2 differs from the sealed log" in proof.stderr
    assert run_audit("prove", "3", url=database_url).returncode == 0


def test_events_are_filtered_ordered_and_limited(database_url: str, published: UUID) -> None:
    def told(*words: str | UUID) -> list[str]:
        done = run_audit("events", *words, "--json", url=database_url)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["type"] for line in done.stdout.splitlines()]

    assert len(told()) == 9
    assert told("--limit", "1") == ["post.failed"]
    assert told("--order", "oldest", "--limit", "2") == ["post.created", "post.uploaded"]
    assert told("--type", "post.published") == ["post.published"]
    assert len(told("--post", published)) == 6
    assert len(told("--user", OWNER)) == 9
    assert told("--actor", "nobody") == []
    assert told("--since", "2999-01-01") == []
    assert len(told("--until", "2026-11-23T12:00:00+00:00", "--since", "2000-01-01")) == 0
    shown = run_audit("events", url=database_url)
    assert "code=internal_error" in shown.stdout


def test_an_export_is_every_event_in_order_and_a_file_only_when_complete(
    database_url: str, published: UUID, tmp_path: Path
) -> None:
    piped = run_audit("export", url=database_url)
    lines = [json.loads(line) for line in piped.stdout.splitlines()]
    assert len(lines) == 9
    assert str(published) == lines[0]["post_id"]
    assert "9 events" in piped.stderr
    out = tmp_path / "events.ndjson"
    saved = run_audit("export", "--out", out, "--json", url=database_url)
    assert out.read_text() == piped.stdout
    assert json.loads(saved.stderr)["events"] == 9
    assert [path.name for path in tmp_path.iterdir()] == ["events.ndjson"]
    missing = run_audit("export", "--out", tmp_path / "no" / "where", url=database_url)
    assert missing.returncode == 2
    assert f"there is no folder {tmp_path / 'no'}" in missing.stderr


@pytest.mark.usefixtures("published")
def test_stats_and_slo_tell_the_same_to_people_and_machines(
    database_url: str, tmp_path: Path
) -> None:
    assert json.loads(run_audit("stats", "--json", url=database_url).stdout)["counted_up_to"] == 0
    assert run_nova("projections", "rebuild", "audit", DATABASE_URL=database_url).returncode == 0
    assert json.loads(run_audit("stats", "--json", url=database_url).stdout)["events"] == 9
    assert "post.variant_ready" in run_audit("stats", url=database_url).stdout
    plot = tmp_path / "slo.svg"
    measured = run_audit("slo", "--json", "--plot", plot, url=database_url)
    slo = json.loads(measured.stdout)
    assert slo["complete_to_published"]["count"] == 1
    assert slo["failures"] == {"internal_error": 1}
    assert slo["not_recorded"] == ["projection"]
    assert ET.parse(plot).getroot().tag.endswith("svg")  # noqa: S314 - we have just drawn it
    shown = run_audit("slo", url=database_url).stdout
    for told in ("within 2 s: 100.00%", "internal_error 1", "not recorded in events: projection"):
        assert told in shown
    run_audit("slo", "--plot", tmp_path / "slo.png", url=database_url)
    assert (tmp_path / "slo.png").read_bytes().startswith(b"\x89PNG")
    assert run_audit("slo", "--plot", tmp_path / "slo.xyz", url=database_url).returncode == 2


def test_every_question_on_the_command_line_is_recorded(
    database_url: str, published: UUID, tmp_path: Path
) -> None:
    run_audit("events", "--type", "post.failed", url=database_url)
    run_audit("post", published, url=database_url)
    run_audit("export", "--out", tmp_path / "events.ndjson", url=database_url)
    run_audit("stats", url=database_url)
    run_audit("slo", url=database_url)
    listed = run_audit("accesses", "--json", url=database_url)
    accesses = [json.loads(line) for line in listed.stdout.splitlines()]
    verbs = ["accesses", "slo", "stats", "export", "post", "events"]
    assert [access["question"] for access in accesses] == [f"nova audit {verb}" for verb in verbs]
    assert {access["role"] for access in accesses} == {"operator"}
    assert all(access["actor"].startswith("cli:") for access in accesses)
    assert accesses[-1]["filters"]["type"] == "post.failed"
    assert accesses[-2]["filters"] == {"post_id": str(published)}
    assert "nova audit export" in run_audit("accesses", url=database_url).stdout


def test_what_is_wrong_is_said_in_one_line(empty_database_url: str) -> None:
    without = run_audit("stats")
    assert (without.returncode, "DATABASE_URL is not set" in without.stderr) == (2, True)
    old = run_audit("stats", url=empty_database_url)
    assert (old.returncode, "run nova migrate" in old.stderr) == (1, True)
    away = run_audit("stats", url="postgresql://nova@127.0.0.1:9/nova")
    assert (away.returncode, "database unavailable" in away.stderr) == (1, True)
    for words in (["events", "--since", "soon"], ["events", "--type", "x"], ["post", "me"]):
        assert run_audit(*words, url=empty_database_url).returncode == 2
    for done in (without, old, away):
        assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_ends_an_export_quietly(
    database_url: str, publishing: Publishing
) -> None:
    with psycopg.connect(database_url) as connection:
        publishing.execute(create_post())
        connection.execute(
            "INSERT INTO post_events (originator_id, originator_version, topic, state) "
            "SELECT gen_random_uuid(), 1, topic, state FROM post_events, generate_series(1, 20000)"
        )
    piped = subprocess.run(
        ["/bin/sh", "-c", '"$0" "$@" | head -n 1', *NOVA, "audit", "export"],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env={**bare_environ(), "DATABASE_URL": database_url},
    )
    assert json.loads(piped.stdout)["version"] == 1
    assert "Traceback" not in piped.stderr
    assert "Exception ignored" not in piped.stderr
