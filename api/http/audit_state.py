"""The state of a post as it once was: a fold of its events, shown like the post itself."""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from msgspec import UNSET, UnsetType

from api.http.schemas.posts import FailureView, ImageView, PostView
from domain.errors import PostNotFound
from domain.events import Event
from domain.post import Post, fold
from domain.variants import StoredVariant


def events_until(
    events: Sequence[Event], *, as_of: datetime | None, version: int | None
) -> list[Event]:
    """The events up to a time or a version, included.

    In the order of versions, whatever the clocks of several machines said: what followed an
    event that was recorded later is later too.
    """
    if version is not None:
        return [event for event in events if event.version <= version]
    assert as_of is not None  # noqa: S101 - the route asks for exactly one of them
    return list(takewhile(lambda event: event.recorded_at <= as_of, events))


def state_after(post_id: UUID, events: Sequence[Event], *, media_url: str) -> PostView:
    """The post after these events; its counters are 0, since no event tells them.

    Raises:
        PostNotFound: it was not created yet, or deleted already.
    """
    post = fold(events)
    if post is None or post.status == "deleted":
        raise PostNotFound(post_id)
    return _view(post, media_url)


def _view(post: Post, media_url: str) -> PostView:
    assert post.status != "deleted"  # noqa: S101 - refused above
    return PostView(
        id=post.id,
        user_id=post.user_id,
        caption=post.caption,
        status=post.status,
        image_key=post.image_key,
        images={
            name: _image(variant, media_url) for name, variant in sorted(post.variants.items())
        },
        blurhash=post.blurhash,
        dominant_colour=post.dominant_colour,
        like_count=0,
        comment_count=0,
        view_count=0,
        created_at=post.created_at,
        updated_at=post.updated_at,
        published_at=post.published_at,
        failure=_failure(post),
    )


def _image(variant: StoredVariant, media_url: str) -> ImageView:
    return ImageView(
        url=media_url + variant.key,
        width=variant.width,
        height=variant.height,
        file_size=variant.file_size,
        content_type=variant.content_type,
    )


def _failure(post: Post) -> FailureView | UnsetType:
    if post.failure is None:
        return UNSET
    return FailureView(code=post.failure.code, message=post.failure.message)
