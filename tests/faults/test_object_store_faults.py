"""The object store misbehaves in every way that one can: posts wait, none is lost, none doubled."""

import threading
from collections.abc import Iterator

import pytest

from api.stack.local import LocalStack
from api.stack.seaweedfs import S3Access
from tests.acceptance.stacks import run_local_stack
from tests.api.stack.running import wait_until
from tests.fault_rounds import rounds
from tests.faults.faulty_store import (
    SLOW_BYTES_PER_SECOND,
    FaultyStoreThread,
    Mode,
    faulty_store,
)
from tests.faults.invariants import assert_nothing_lost
from tests.faults.patient_app import PatientApp
from tests.transcoder import pictures
from transcoder.object_store.transfer import SECONDS_PER_TRANSFER
from transcoder.queue.lanes import STALLED_AFTER_SECONDS

FAULT_SECONDS = 6.0
# Longer than any client waits for an answer.
HANG_SECONDS = rounds(30.0, brief=6.0)
DOWN_SECONDS = rounds(60.0, brief=15.0)
# Each is some ten seconds on its way to the store, as long on its way down, and again up.
SLOW_POSTS = rounds(2, brief=1)


@pytest.fixture(scope="module")
def store(seaweedfs_server: S3Access) -> Iterator[FaultyStoreThread]:
    """A real one behind a proxy that injects faults."""
    with faulty_store(seaweedfs_server.endpoint_url) as store:
        yield store


@pytest.fixture(scope="module")
def stack(store: FaultyStoreThread, seaweedfs_server: S3Access) -> Iterator[LocalStack]:
    """A stack that knows no other object store."""
    environ = {
        "S3_ENDPOINT_URL": store.url,
        "S3_BUCKET_NAME": "faulty-photos",
        "AWS_ACCESS_KEY_ID": seaweedfs_server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": seaweedfs_server.secret_access_key,
    }
    with run_local_stack(environ) as stack:
        yield stack


@pytest.fixture(autouse=True)
def healthy_again(store: FaultyStoreThread) -> Iterator[None]:
    """Whatever a test did to it."""
    yield
    store.behave("healthy")


@pytest.mark.parametrize("mode", ["error_500", "slow_down", "reset", "unanswered", "hang"])
def test_a_store_that_fails_for_a_while_delays_posts_and_loses_none(
    stack: LocalStack, app: PatientApp, store: FaultyStoreThread, jpeg: bytes, mode: Mode
) -> None:
    posts = [app.upload(jpeg) for _ in range(3)]
    met = store.refused
    store.behave(mode)
    seconds = HANG_SECONDS if mode == "hang" else FAULT_SECONDS
    recovering = threading.Timer(seconds, store.behave, ["healthy"])
    recovering.start()
    posts += [app.upload(jpeg) for _ in range(3)]
    recovering.join()
    assert {post["status"] for post in app.final(posts)} == {"published"}
    assert store.refused > met
    assert_nothing_lost(stack, posts)


def test_a_store_that_is_slow_makes_posts_slow_and_nothing_else(
    stack: LocalStack, app: PatientApp, store: FaultyStoreThread
) -> None:
    photo = pictures.jpeg(pictures.noise(430, 350), quality=85)
    store.behave("slow")
    posts = [app.upload(photo) for _ in range(SLOW_POSTS)]
    published = app.final(posts)
    assert {post["status"] for post in published} == {"published"}
    store.behave("healthy")
    assert_nothing_lost(stack, posts)
    # Down as up it takes longer than a worker may be silent, and not too long for one transfer.
    uploaded = [post["images"]["original"]["file_size"] for post in published]
    for size in (len(photo), *uploaded):
        assert STALLED_AFTER_SECONDS < size / SLOW_BYTES_PER_SECOND < SECONDS_PER_TRANSFER


def test_a_photo_that_the_store_has_lost_fails_with_a_reason_and_can_be_tried_again(
    stack: LocalStack, app: PatientApp, store: FaultyStoreThread, jpeg: bytes
) -> None:
    opened = app.init(jpeg)
    app.put(opened, jpeg)
    store.behave("original_missing")
    assert app.complete(opened).status_code == 202
    (post,) = app.final([opened["post_id"]])
    assert post["failure"] == {
        "code": "original_missing",
        "message": "The photo is no longer there. Please upload it again.",
    }
    store.behave("healthy")
    assert app.ask("POST", f"/posts/{post['id']}/retry").status_code == 202
    wait_until(lambda: app.wait_until_final(post["id"])["status"] == "published")
    assert_nothing_lost(stack, [post["id"]])


def test_a_store_that_is_down_for_long_delays_posts_and_loses_none(
    stack: LocalStack, app: PatientApp, store: FaultyStoreThread, jpeg: bytes
) -> None:
    opened = [app.init(jpeg) for _ in range(4)]
    for each in opened:
        app.put(each, jpeg)
    for each in opened[:2]:
        assert app.complete(each).status_code == 202
    store.behave("down")
    recovering = threading.Timer(DOWN_SECONDS, store.behave, ["healthy"])
    recovering.start()
    # Whether these have arrived is unknown, so clients get a 503.
    assert app.once("POST", "/posts/upload/complete", app.completion(opened[2])) == 503
    recovering.join()
    for each in opened[2:]:
        assert app.complete(each).status_code == 202
    posts = [each["post_id"] for each in opened]
    assert {post["status"] for post in app.final(posts)} == {"published"}
    assert_nothing_lost(stack, posts)
