"""`nova audit verify|checkpoint|prove|check|media` as auditors use them."""

import json
import subprocess
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from api.stack.local import LocalStack
from domain.event_store.publishing import Publishing
from domain.recipes import RECIPES
from tests.acceptance.app import App
from tests.acceptance.commands import run_nova
from tests.histories import publishing_commands


def run(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a verb of `nova audit` to its end, with these variables set."""
    return run_nova("audit", *words, **environ)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A signing key as a PEM file, with public.pem beside it."""
    made = Ed25519PrivateKey.generate()
    private = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    path = tmp_path / "key.pem"
    path.write_bytes(private)
    return path


def publish(publishing: Publishing) -> str:
    post_id = uuid4()
    for command in publishing_commands(post_id):
        publishing.execute(command)
    return str(post_id)


def test_evidence_is_exported_and_checked_and_tampering_is_named(
    publishing: Publishing, database_url: str, key: Path, tmp_path: Path
) -> None:
    old, new, proof = (tmp_path / name for name in ("old", "new", "event-8.tlog-proof"))
    environ = {"DATABASE_URL": database_url, "AUDIT_SIGNING_KEY": str(key)}
    public_key = ("--public-key", tmp_path / "public.pem")

    publish(publishing)
    sealed = run("verify", "--seal", **environ)
    assert (sealed.returncode, sealed.stdout.splitlines()[-2]) == (
        0,
        "6 events since the last checkpoint, sealed now.",
    )
    assert run("checkpoint", "--out", old, **environ).returncode == 0
    publish(publishing)
    run("verify", "--seal", **environ)
    grown = run("checkpoint", "--since", old, "--out", new, **environ)
    assert "(log nova-publishing/log, 12 events)" in grown.stderr
    assert run("prove", "8", "--out", proof, **environ).returncode == 0

    checked = run("check", new, "--checkpoint", old, *public_key)
    assert checked.returncode == 0, checked.stderr
    assert "begins with the trusted one of 6, unchanged" in checked.stdout
    checked = run("check", proof, "--checkpoint", new, *public_key)
    assert checked.returncode == 0, checked.stderr
    assert "as event 8 of 12" in checked.stdout
    proof.write_text(proof.read_text().replace("index 7", "index 6"))
    assert run("check", proof).returncode == 1

    exported = ("--checkpoint", old, "--checkpoint", new, *public_key)
    verified = run("verify", "--json", *exported, **environ)
    assert verified.returncode == 0
    assert json.loads(verified.stdout)["events"] == 12
    assert json.loads(verified.stdout)["lifecycles"]["statuses"] == {"published": 2}
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE post_events DISABLE TRIGGER ALL")
        connection.execute("UPDATE post_events SET state = '{}' WHERE notification_id = 9")
    tampered = run("verify", "--json", "--seal", **environ)
    assert tampered.returncode == 1
    finding = json.loads(tampered.stdout)["finding"]
    assert (finding["what"], finding["position"], finding["version"]) == ("changed", 9, 3)
    shown = run("verify", **environ)
    assert shown.stdout.startswith("FAILED: event 3 of post ")
    assert "at position 9 was changed: " in shown.stdout


def test_a_post_is_proven_by_a_file_for_each_event(
    publishing: Publishing, database_url: str, key: Path, tmp_path: Path
) -> None:
    environ = {"DATABASE_URL": database_url, "AUDIT_SIGNING_KEY": str(key)}
    named = {**environ, "AUDIT_ORIGIN": "photos.example/log"}
    post_id = publish(publishing)
    run("verify", "--seal", **environ)
    folder = tmp_path / "proofs"
    proven = run("prove", "--post", post_id, "--out", folder, **named)
    assert proven.returncode == 0, proven.stderr
    assert "proofs of 6 events" in proven.stderr
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [f"event-{n}.tlog-proof" for n in range(1, 7)]
    checked = run("check", *files, "--public-key", tmp_path / "public.pem")
    assert checked.stdout.count("signed by photos.example/log+") == 6
    assert f"event 6 of post {post_id} (post.published) is in the log" in checked.stdout
    assert run("prove", "--post", post_id, **named).stdout.count("c2sp.org/tlog-proof@v1\n") == 6
    for words in (("prove",), ("prove", "8", "--post", post_id)):
        assert "pass either POSITION or --post" in run(*words, **environ).stderr
    shown = run("accesses", "--json", DATABASE_URL=database_url).stdout
    assert f'"question":"nova audit prove","filters":{{"post_id":"{post_id}"}}' in shown


def test_a_report_is_written_and_checked_without_a_database(
    publishing: Publishing, database_url: str, key: Path, tmp_path: Path
) -> None:
    environ = {"DATABASE_URL": database_url, "AUDIT_SIGNING_KEY": str(key)}
    post_id = publish(publishing)
    run("verify", "--seal", **environ)
    page = tmp_path / "report.html"
    written = run("report", post_id, "--out", page, "--time-zone", "Europe/Berlin", **environ)
    assert written.returncode == 0, written.stderr
    assert written.stdout == "Verified: 6 of 6 events match the sealed log.\n"
    assert "no object store is set" in page.read_text()
    for words in ((), ("--public-key", tmp_path / "public.pem")):
        checked = run("check", page, *words)
        assert checked.returncode == 0, checked.stderr
        assert checked.stdout.endswith("Verified: 6 of 6 events match the sealed log.\n")
    edited = tmp_path / "edited.html"
    edited.write_text(page.read_text().replace("published the post", "hid the post"))
    assert run("check", edited).returncode == 1
    shown = run("accesses", DATABASE_URL=database_url).stdout
    assert "nova audit report" in shown
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE post_events DISABLE TRIGGER ALL")
        connection.execute("UPDATE post_events SET state = '{}' WHERE notification_id = 2")
    forged = run("report", post_id, "--out", page, **environ)
    assert (forged.returncode, forged.stdout) == (
        1,
        "FAILED: 5 of 6 events match the sealed log.\n",
    )
    assert run("check", page).returncode == 1
    assert run("report", str(uuid4()), "--out", page, **environ).returncode == 1
    wrong = run("report", post_id, "--out", page, "--time-zone", "Mars/Crater", **environ)
    assert wrong.returncode == 2


def test_a_post_that_cannot_have_come_that_way_is_named(
    publishing: Publishing, database_url: str
) -> None:
    publish(publishing)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE post_events DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM post_events WHERE topic = 'post.uploaded'")
    verified = run("verify", DATABASE_URL=database_url)
    assert verified.returncode == 1
    assert "FAILED: 1 post replayed (none)." in verified.stdout
    assert "(post.variant_ready) is illegal: version 2 is missing" in verified.stdout


def test_what_cannot_be_done_is_one_line(database_url: str, key: Path, tmp_path: Path) -> None:
    environ = {"DATABASE_URL": database_url, "AUDIT_SIGNING_KEY": str(key)}
    wrong = tmp_path / "wrong"
    wrong.write_text("[]")
    for words, given, code in (
        (("checkpoint",), environ, 1),
        (("prove", "7"), environ, 1),
        (("prove", "7"), {"DATABASE_URL": database_url}, 2),
        (("check", wrong), {}, 1),
        (("verify", "--checkpoint", wrong), environ, 1),
        (("verify",), {}, 2),
        (("verify",), {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}, 1),
    ):
        done = run(*words, **given)
        assert done.returncode == code
        assert done.stderr.startswith("nova: ")
        assert "Traceback" not in done.stderr


def test_a_wrong_signing_key_is_named(publishing: Publishing, database_url: str) -> None:
    publish(publishing)
    run("verify", "--seal", DATABASE_URL=database_url)
    unsigned = run("checkpoint", DATABASE_URL=database_url)
    assert unsigned.returncode == 2
    assert "AUDIT_SIGNING_KEY is not set" in unsigned.stderr
    wrong = run("checkpoint", DATABASE_URL=database_url, AUDIT_SIGNING_KEY="abc")
    assert wrong.returncode == 2
    assert "AUDIT_SIGNING_KEY is wrong" in wrong.stderr


def test_a_wrong_key_of_the_log_is_named_before_a_process_starts(database_url: str) -> None:
    environ = {
        "DATABASE_URL": database_url,
        "S3_BUCKET_NAME": "photos",
        "JWT_SECRET": "a secret that is long enough for anybody",
        "AUDIT_PUBLIC_KEY": "no key",
        "AUDIT_SIGNING_KEY": "no key",
    }
    for verb, name in (("api", "AUDIT_PUBLIC_KEY"), ("projector", "AUDIT_SIGNING_KEY")):
        started = run_nova(verb, **environ)
        assert started.returncode == 2
        assert f"{name} is wrong" in started.stderr


def test_media_are_derived_again_from_the_stored_original(
    stack: LocalStack, app: App, jpeg: bytes
) -> None:
    post_id = app.upload(jpeg)
    assert app.wait_until_final(post_id)["status"] == "published"
    audited = run("media", post_id, "--json", **stack.environ)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    lines = [json.loads(line) for line in audited.stdout.splitlines()]
    assert [(line["derived"], line["stored"]) for line in lines] == [("same", "same")] * len(
        RECIPES
    )
    asked = run("media", post_id, "--only-stored", "--json", **stack.environ)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    lines = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [(line["derived"], line["stored"]) for line in lines] == [("not_tried", "same")] * len(
        RECIPES
    )
    unknown = run("media", str(uuid4()), **stack.environ)
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("nova: ")
