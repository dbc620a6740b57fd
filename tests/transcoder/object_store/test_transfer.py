"""The transfer: a store that never answers holds no job up for longer than a transfer may take."""

from collections.abc import Iterator

import anyio
import pytest
import stamina

from domain.post import Post
from tests.fake_object_store import FakeObjectStore
from tests.histories import after, create_post
from tests.transcoder.rendered import variant_of
from transcoder.errors import ObjectStoreUnavailable, RetryableFailure
from transcoder.object_store import transfer
from transcoder.object_store.protocol import Announced, NewObject
from transcoder.object_store.transfer import Transfer

pytestmark = pytest.mark.anyio

ATTEMPTS = 2


class SilentStore(FakeObjectStore):
    """Accepts every request and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def download(self, announced: Announced) -> bytes:
        self.asked.append(announced.key)
        await anyio.sleep_forever()
        raise AssertionError

    async def put(self, new: NewObject) -> None:
        self.asked.append(new.key)
        await anyio.sleep_forever()


@pytest.fixture(autouse=True)
def soon_out_of_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(transfer, "SECONDS_PER_TRANSFER", 0.05)
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture
def post() -> Post:
    return after(create_post())[0]


async def test_a_download_that_never_ends_is_given_up_and_may_be_tried_again(post: Post) -> None:
    store = SilentStore()
    with pytest.raises(ObjectStoreUnavailable) as raised, anyio.fail_after(60):
        await Transfer(store).download(post)
    assert_gave_up(raised.value, operation="download", key=post.image_key)
    assert store.asked == [post.image_key] * ATTEMPTS


async def test_a_variant_that_is_never_stored_is_given_up_and_may_be_tried_again(
    post: Post,
) -> None:
    store = SilentStore()
    with pytest.raises(ObjectStoreUnavailable) as raised, anyio.fail_after(60):
        await Transfer(store).store_variant(post, variant_of("thumbnail", b"a photo"))
    assert_gave_up(raised.value, operation="put", key=store.asked[0])
    assert store.asked == [store.asked[0]] * ATTEMPTS


def assert_gave_up(error: ObjectStoreUnavailable, *, operation: str, key: str) -> None:
    """Raises an error that names the operation, so that the job is retried."""
    assert (error.operation, error.key) == (operation, key)
    assert isinstance(error.__cause__, TimeoutError)
    assert isinstance(error, RetryableFailure)
    assert error.retryable
