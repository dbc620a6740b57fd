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


def publish(publishing: Publishing) -> None:
    for command in publishing_commands(uuid4()):
        publishing.execute(command)


def test_evidence_is_exported_and_checked_and_tampering_is_named(
    publishing: Publishing, database_url: str, key: Path, tmp_path: Path
) -> None:
    old, new, proof = (tmp_path / name for name in ("old.json", "new.json", "proof.json"))
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
    assert ", signed)" in run("checkpoint", "--since", old, "--out", new, **environ).stderr
    assert run("prove", "8", "--since", old, "--out", proof, **environ).returncode == 0

    for file in (new, proof):
        checked = run("check", file, "--checkpoint", old, *public_key)
        assert checked.returncode == 0, checked.stderr
        assert "begins with the trusted one of 6, unchanged" in checked.stdout
    forged = proof.read_text().replace('"version": 2', '"version": 3')
    proof.write_text(forged)
    assert run("check", proof).returncode == 1

    verified = run("verify", "--json", "--checkpoint", old, "--checkpoint", new, **environ)
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


def test_what_cannot_be_done_is_one_line(database_url: str, tmp_path: Path) -> None:
    environ = {"DATABASE_URL": database_url}
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    for words, given, code in (
        (("checkpoint",), environ, 1),
        (("prove", "7"), environ, 1),
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
    assert "not signed: AUDIT_SIGNING_KEY is not set" in unsigned.stderr
    assert json.loads(unsigned.stdout)["checkpoint"]["tree_size"] == 6
    wrong = run("checkpoint", DATABASE_URL=database_url, AUDIT_SIGNING_KEY="abc")
    assert wrong.returncode == 2
    assert "AUDIT_SIGNING_KEY is wrong" in wrong.stderr


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
