"""The removal job: deletes the original of a deleted post, or its parts, and all its variants."""

import structlog

from domain.keys import variants_prefix
from transcoder.async_publishing import AsyncPublishing
from transcoder.jobs.work import Failure, Work
from transcoder.object_store.protocol import ObjectStore

_log = structlog.get_logger(__name__)


class ObjectRemoval:
    """What all removal jobs share; they may run concurrently. Retried until nothing is left."""

    def __init__(self, *, publishing: AsyncPublishing, store: ObjectStore) -> None:
        self._publishing = publishing
        self._store = store

    async def run(self, work: Work) -> None:
        """Remove the objects of a deleted post, if there are any.

        Raises:
            ObjectStoreUnavailable: objects may be left.
        """
        post = await self._publishing.post(work.post_id)
        if post.status != "deleted":
            return
        _log.info("removing_objects")
        await self._store.abort_parts(post.image_key)
        await self._store.remove(post.image_key)
        while page := await self._store.list_page(variants_prefix(post.id)):
            for found in page:
                await self._store.remove(found.key)

    def failure_command(self, failure: Failure, *, work: Work) -> None:
        """Never give up: objects of a deleted post must not stay."""
        _log.error("objects_remain", code=failure.error.code, attempt=work.attempt)
