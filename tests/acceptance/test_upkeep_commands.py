"""`nova reprocess` and `nova janitor` as operators use them, on the running stack."""

import json
import time
from uuid import UUID, uuid4

import pytest

from api.stack.local import LocalStack
from domain.keys import original_key
from tests.acceptance.app import App
from tests.acceptance.commands import run_nova
from tests.acceptance.older_recipes import pretend_older
from tests.api.stack.objects import s3_client

WITHIN_SECONDS = 60


@pytest.fixture
def published(app: App, jpeg: bytes) -> str:
    post_id = app.upload(jpeg)
    assert app.wait_until_final(post_id)["status"] == "published"
    return post_id


def test_posts_of_older_recipes_are_made_again_and_no_others(
    stack: LocalStack, app: App, published: str
) -> None:
    user = str(app.user_id)
    assert (
        "Reprocessed 0 of 1 posts" in run_nova("reprocess", "--user", user, **stack.environ).stdout
    )
    pretend_older(stack.operators_environ["DATABASE_OWNER_URL"], published)
    done = run_nova("reprocess", "--user", user, "--json", **stack.environ)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["looked_at"], report["reprocessed"], report["not_reprocessed"]) == (1, 1, 0)
    assert app.wait_until_final(published)["status"] == "published"
    assert (
        "Reprocessed 0 of 1 posts" in run_nova("reprocess", "--user", user, **stack.environ).stdout
    )
    assert "Reprocessed 0 of 0" in run_nova("reprocess", "--user", uuid4(), **stack.environ).stdout


def test_a_post_that_cannot_be_made_again_is_named_and_stays(
    stack: LocalStack, app: App, published: str
) -> None:
    client = s3_client(stack.environ)
    key = original_key(UUID(published))
    client.delete_object(Bucket=stack.environ["S3_BUCKET_NAME"], Key=key)
    client.close()
    pretend_older(stack.operators_environ["DATABASE_OWNER_URL"], published)
    done = run_nova("reprocess", "--user", str(app.user_id), **stack.environ)
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
    listed = run_nova("janitor", "--dry-run", "--json", **stack.environ)
    assert listed.returncode == 0, listed.stderr
    # Objects left by other tests are less than a day old.
    assert json.loads(listed.stdout) == {"objects": 0, "bytes": 0, "unknown": 0, "removed": False}
    assert "Removed 0 objects (0 bytes)." in run_nova("janitor", **stack.environ).stdout
