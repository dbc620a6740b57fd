"""The transfer: originals down and variants up, tried again while the object store does not answer.

Each transfer as a whole has a time limit: at ten kilobytes a second, a store keeps every single
promise and a worker for ever.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import stamina

from domain.keys import variant_key
from domain.post import Post
from domain.variants import StoredVariant
from transcoder.errors import ObjectStoreUnavailable
from transcoder.object_store.protocol import IMMUTABLE, Announced, NewObject, ObjectStore
from transcoder.rendering import RenderedVariant

SECONDS_PER_TRANSFER: Final = 60.0

_retry = stamina.retry(
    on=ObjectStoreUnavailable, attempts=4, timeout=None, wait_initial=1.0, wait_max=5.0
)


class Transfer:
    """What jobs do with the object store; safe for concurrent jobs."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @_retry
    async def download(self, post: Post) -> bytes:
        """The original of a post; see `ObjectStore.download`."""
        async with _in_time("download", post.image_key):
            return await self._store.download(Announced.original_of(post))

    async def store_variant(self, post: Post, variant: RenderedVariant) -> StoredVariant:
        """Store a variant under the name of its bytes.

        Raises:
            ObjectStoreUnavailable: it is not stored.
        """
        key = variant_key(post.id, variant.name, sha256=variant.sha256)
        await self._put(_new_object(post, variant, key=key))
        return variant.stored_under(key)

    @_retry
    async def _put(self, new: NewObject) -> None:
        async with _in_time("put", new.key):
            await self._store.put(new)


@asynccontextmanager
async def _in_time(operation: str, key: str) -> AsyncIterator[None]:
    try:
        with anyio.fail_after(SECONDS_PER_TRANSFER):
            yield
    except TimeoutError as error:
        raise ObjectStoreUnavailable(operation=operation, key=key) from error


def _new_object(post: Post, variant: RenderedVariant, *, key: str) -> NewObject:
    return NewObject(
        key=key,
        content=variant.content,
        content_type=variant.content_type,
        sha256=variant.sha256,
        cache_control=IMMUTABLE,
        metadata={
            "post-id": str(post.id),
            "variant": variant.name,
            "width": str(variant.width),
            "height": str(variant.height),
        },
    )
