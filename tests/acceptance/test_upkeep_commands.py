"""`nova reprocess` and `nova janitor` as operators use them, on the running stack."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from anyio.from_thread import start_blocking_portal
from psycopg import sql

from api.stack.local import LocalStack, local_stack
from domain.keys import original_key
from domain.recipes import RECIPE_VERSION
from tests.acceptance.app import App
from tests.acceptance.test_commands import bare_environ
from tests.api.stack.objects import s3_client
from tests.servers import temporary_stack_folder

WITHIN_SECONDS = 60


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A stack of their own: they change what was sealed."""
    with temporary_stack_folder() as folder, start_blocking_portal() as portal:
        context = local_stack(folder=folder, port=None, environ={}, report=print)
        with portal.wrap_async_context_manager(context) as stack:
            yield stack


def nova(stack: LocalStack, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end."""
    return subprocess.run(
        [sys.executable, "-m", "api", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN_SECONDS,
        env={**bare_environ(), **stack.environ, "COLUMNS": "200"},
    )


def pretend_older(stack: LocalStack, post_id: str) -> None:
    """Let the log say that a post's variants were made with the recipe before."""
    table = sql.Identifier("post_events")
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
        now, before = (f'"recipe_version":{version}' for version in (RECIPE_VERSION, 1))
        connection.execute(
            "UPDATE post_events SET state = replace(convert_from(state, 'UTF8'), %s, %s)::bytea"
            " WHERE originator_id = %s",
            [now, before, post_id],
        )
        connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))


@pytest.fixture
def published(app: App, jpeg: bytes) -> str:
    post_id = app.upload(jpeg)
    assert app.wait_until_final(post_id)["status"] == "published"
    return post_id


def test_posts_of_older_recipes_are_made_again_and_no_others(
    stack: LocalStack, app: App, published: str
) -> None:
    user = str(app.user_id)
    assert "0 of 1 published posts" in nova(stack, "reprocess", "--user", user).stdout
    pretend_older(stack, published)
    done = nova(stack, "reprocess", "--user", user, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["looked_at"], report["reprocessed"], report["not_reprocessed"]) == (1, 1, 0)
    assert app.wait_until_final(published)["status"] == "published"
    assert "0 of 1 published posts" in nova(stack, "reprocess", "--user", user).stdout
    assert "0 of 0 published posts" in nova(stack, "reprocess", "--user", str(uuid4())).stdout


def test_a_post_that_cannot_be_made_again_is_named_and_stays(
    stack: LocalStack, app: App, published: str
) -> None:
    client = s3_client(stack.environ)
    key = original_key(UUID(published))
    client.delete_object(Bucket=stack.environ["S3_BUCKET_NAME"], Key=key)
    client.close()
    pretend_older(stack, published)
    done = nova(stack, "reprocess", "--user", str(app.user_id))
    assert done.returncode == 1
    assert f"{published}  original_missing: The photo is no longer there." in done.stdout
    assert app.wait_until_final(published)["status"] == "published"


def test_a_deleted_posts_objects_go_and_what_is_left_over_is_listed_first(
    stack: LocalStack, app: App, published: str
) -> None:
    client = s3_client(stack.environ)
    bucket = stack.environ["S3_BUCKET_NAME"]
    assert app.ask("DELETE", f"/posts/{published}").status_code == 204
    deadline = time.monotonic() + WITHIN_SECONDS
    for prefix in (f"uploads/{published}/", f"variants/{published}/"):
        while client.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"]:
            assert time.monotonic() < deadline, "the objects of a deleted post stay"
            time.sleep(0.1)
    client.close()
    listed = nova(stack, "janitor", "--dry-run", "--json")
    assert listed.returncode == 0, listed.stderr
    # What others of these tests left here is younger than a day.
    assert json.loads(listed.stdout) == {"objects": 0, "bytes": 0, "unknown": 0, "removed": False}
    assert "0 objects of 0 bytes were removed." in nova(stack, "janitor").stdout
