"""The post: its state, and how each event changes it."""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import Literal, TypeAlias, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.events import (
    Event,
    PostCaptioned,
    PostCreated,
    PostDeleted,
    PostFailed,
    PostNotReprocessed,
    PostPublished,
    PostReprocessed,
    PostRetried,
    PostUploaded,
    VariantReady,
)
from domain.formats import ContentType
from domain.recipes import VariantName
from domain.variants import StoredVariant

ReadableStatus: TypeAlias = Literal["pending", "processing", "published", "failed"]
Status: TypeAlias = ReadableStatus | Literal["deleted"]


class Post(Struct, frozen=True, kw_only=True):
    """The state of a post after its event number `version`."""

    id: UUID
    version: int
    status: Status
    user_id: UUID
    caption: str | None
    alt: str | None
    content_type: ContentType
    file_size: int
    sha256: str
    image_key: str
    upload_expires_at: datetime
    variants: dict[VariantName, StoredVariant]
    blurhash: str | None
    dominant_colour: str | None
    failure: PostFailed | None
    retries: int
    owner_retries: int
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None

    @property
    def recipe_version(self) -> int:
        """The oldest recipe version of any variant; 0 while there is none."""
        return min((variant.recipe_version for variant in self.variants.values()), default=0)


def evolve(post: Post | None, event: Event) -> Post:
    """The post after `event`; None is the post before its first event."""
    if isinstance(event, PostCreated):
        return _created(event)
    if post is None:
        raise EventBeforeCreation(event)
    post = replace(post, version=event.version, updated_at=event.recorded_at)
    match event:
        case PostCaptioned():
            return replace(post, caption=event.caption, alt=event.alt)
        case PostUploaded():
            return replace(post, status="processing")
        case VariantReady():
            return replace(post, variants={**post.variants, event.variant.name: event.variant})
        case PostPublished():
            return replace(
                post,
                status="published",
                published_at=event.recorded_at,
                blurhash=event.blurhash,
                dominant_colour=event.dominant_colour,
            )
        case PostFailed():
            return replace(post, status="failed", failure=event)
        case PostRetried():
            return _retried(post, event)
        case PostReprocessed():
            return replace(
                post,
                variants={variant.name: variant for variant in event.variants},
                blurhash=event.blurhash,
                dominant_colour=event.dominant_colour,
            )
        case PostNotReprocessed():
            return post
        case PostDeleted():
            return replace(post, status="deleted")
        case _:
            assert_never(event)


def fold(events: Iterable[Event]) -> Post | None:
    """The post after its whole history; None for an empty history."""
    start: Post | None = None
    return reduce(evolve, events, start)


class EventBeforeCreation(Exception):
    """The history does not begin with `post.created`: the log is damaged."""

    def __init__(self, event: Event) -> None:
        super().__init__(f"post {event.post_id} has an event before it was created")
        self.event = event


def _created(event: PostCreated) -> Post:
    return Post(
        id=event.post_id,
        version=event.version,
        status="pending",
        user_id=event.user_id,
        caption=event.caption,
        alt=event.alt,
        content_type=event.content_type,
        file_size=event.file_size,
        sha256=event.sha256,
        image_key=event.image_key,
        upload_expires_at=event.upload_expires_at,
        variants={},
        blurhash=None,
        dominant_colour=None,
        failure=None,
        retries=0,
        owner_retries=0,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        published_at=None,
    )


def _retried(post: Post, event: PostRetried) -> Post:
    is_by_owner = event.actor == f"user:{post.user_id}"
    return replace(
        post,
        status="processing",
        failure=None,
        retries=post.retries + 1,
        owner_retries=post.owner_retries + is_by_owner,
    )
