"""Deleted posts: their objects go, the original and whatever was ever stored of its variants."""

from uuid import UUID

from domain.keys import variants_prefix
from transcoder.jobs.work import EventStore
from transcoder.object_store.protocol import ObjectStore


async def remove_objects(store: ObjectStore, events: EventStore, *, post_id: UUID) -> None:
    """Remove the objects of a deleted post, if any ever came.

    Raises:
        ObjectStoreUnavailable: the removal has to be tried again.
    """
    post = await events.post(post_id)
    if post.status != "deleted":
        return
    await store.remove(post.image_key)
    while page := await store.list_page(variants_prefix(post_id)):
        for found in page:
            await store.remove(found.key)
