"""`nova janitor` on a running stack: orphans are listed and removed, and nothing else."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.stack.local import LocalStack
from domain.keys import original_key, variant_key
from domain.recipes import RECIPES
from tests.acceptance.app import App
from tests.acceptance.commands import TIMEOUT_SECONDS, bare_environ, run_nova
from tests.acceptance.stacks import run_local_stack
from tests.api.stack.objects import s3_client
from tests.api.stack.running import wait_until

# The store sets the time of an object, so the clock of the janitor is moved instead.
TWO_DAYS_LATER = """
import sys
from datetime import datetime, timedelta
from api.cli import janitor
from api.cli.main import main

class Later(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(days=2)

janitor.datetime = Later
main()
"""


class Bucket:
    """The bucket of a stack."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def keys(self, prefix: str = "") -> set[str]:
        """List what is stored."""
        page = self._client.list_objects_v2(Bucket=self._name, Prefix=prefix)
        assert not page["IsTruncated"]
        return {found["Key"] for found in page.get("Contents", ())}

    def put(self, key: str) -> str:
        """Store an object under the key, and return the key."""
        self._client.put_object(Bucket=self._name, Key=key, Body=b"nothing needs it")
        return key


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A stack whose bucket holds only what these tests store."""
    with run_local_stack() as stack:
        yield stack


@pytest.fixture
def bucket(stack: LocalStack) -> Iterator[Bucket]:
    client = s3_client(stack.environ)
    yield Bucket(client, stack.environ["S3_BUCKET_NAME"])
    client.close()


def two_days_later(running: LocalStack, *words: str) -> list[dict[str, Any]]:
    """What the janitor prints in two days: each orphan, and the totals."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_DAYS_LATER, "janitor", *words, "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env={**bare_environ(), **running.environ},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_orphans_are_listed_then_removed_and_every_needed_object_stays(
    stack: LocalStack,
    app: App,
    bucket: Bucket,
    jpeg: bytes,
) -> None:
    published, deleted = app.upload(jpeg), app.upload(jpeg)
    for post_id in (published, deleted):
        assert app.wait_until_final(post_id)["status"] == "published"
    failed = app.upload(jpeg[: len(jpeg) // 2])
    assert app.wait_until_final(failed)["status"] == "failed"
    assert app.put(app.init(jpeg), jpeg).status_code == 200
    assert app.ask("DELETE", f"/posts/{deleted}").status_code == 204
    wait_until(lambda: not bucket.keys(f"uploads/{deleted}/") | bucket.keys(f"variants/{deleted}/"))
    needed = bucket.keys() | {bucket.put("uploads/of-somebody-else.txt")}
    # The variants of one post, the originals of three, and one unknown object.
    assert len(needed) == len(RECIPES) + 3 + 1
    orphans = {
        bucket.put(variant_key(UUID(published), "medium", sha256="f" * 64)): "never_recorded",
        bucket.put(variant_key(UUID(deleted), "medium", sha256="e" * 64)): "post_is_deleted",
        bucket.put(original_key(UUID(deleted))): "post_is_deleted",
    }
    unknown = {bucket.put(original_key(uuid4())): "no_such_post"}
    size = len(b"nothing needs it") * len(orphans)
    said = {"objects": 3, "bytes": size, "unknown": 1}

    assert "Removed 0 objects (0 bytes)." in run_nova("janitor", **stack.environ).stdout
    *listed, total = two_days_later(stack, "--dry-run")
    assert {orphan["key"]: orphan["why"] for orphan in listed} == {**orphans, **unknown}
    assert total == {**said, "removed": False}
    assert bucket.keys() == needed | orphans.keys() | unknown.keys()

    *removed, total = two_days_later(stack)
    assert {orphan["key"]: orphan["why"] for orphan in removed} == {**orphans, **unknown}
    assert total == {**said, "removed": True}
    assert bucket.keys() == needed | unknown.keys()
    assert two_days_later(stack)[-1] == {"objects": 0, "bytes": 0, "unknown": 1, "removed": True}
    for image in app.wait_until_final(published)["images"].values():
        assert app.http.get(image["url"]).status_code == 200
