"""Idempotency keys: the ids of a new post follow from the key, so the event store keeps it unique.

A key makes the id of the post, and the body makes the id of the command, from which the id of the
first event follows. So a repeated request finds the post and knows whether the body is the same, on
every process and for as long as the log lives.
"""

from typing import Final
from uuid import UUID, uuid4, uuid5

import msgspec
from msgspec import Struct

from api.http.authentication.upload_tokens import check_expiry
from api.http.errors import IdempotencyKeyReused
from api.http.resources import Resources
from api.http.schemas.uploads import InitUpload
from domain.decisions import event_id_of
from domain.errors import UploadExpired
from domain.events import PostCreated
from domain.post import Post, fold

# Part of stored ids: a change lets a repeated request create a second post.
_NAMESPACE: Final = "Idempotency-Key:"


class NewPostIds(Struct, frozen=True, kw_only=True):
    """The ids of a post to create and of the command that creates it."""

    post_id: UUID
    command_id: UUID
    is_repeatable: bool


def new_post_ids(data: InitUpload, *, user_id: UUID, key: str | None) -> NewPostIds:
    """The ids that follow from the user's key and the body; random ones without a key."""
    if key is None:
        return NewPostIds(post_id=uuid4(), command_id=uuid4(), is_repeatable=False)
    post_id = uuid5(user_id, _NAMESPACE + key)
    command_id = uuid5(post_id, _canonical(data))
    return NewPostIds(post_id=post_id, command_id=command_id, is_repeatable=True)


async def find_repeated(ids: NewPostIds, resources: Resources) -> Post | None:
    """The post that the same request created before; None if this is the first.

    Raises:
        IdempotencyKeyReused: the request that created it had another body.
        UploadExpired: it was deleted since, or its upload was not completed in time.
    """
    if not ids.is_repeatable:
        return None
    events = await resources.writer.history(ids.post_id)
    post = fold(events)
    if post is None:
        return None
    created = events[0]
    assert isinstance(created, PostCreated)  # noqa: S101 - the first event of every post
    if created.event_id != event_id_of(ids.command_id, version=1):
        raise IdempotencyKeyReused
    if post.status == "deleted":
        raise UploadExpired(post.id, expired_at=post.upload_expires_at)
    if post.status == "pending":
        check_expiry(post.id, post.upload_expires_at, now=resources.writer.now())
    return post


def _canonical(data: InitUpload) -> str:
    """The body without what it leaves to defaults, so that a new optional field changes nothing."""
    given = {
        field.encode_name: getattr(data, field.name)
        for field in msgspec.structs.fields(data)
        if getattr(data, field.name) != field.default
    }
    return msgspec.json.encode(given, order="deterministic").decode()
