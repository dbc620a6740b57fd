"""Schemas of posts, and how a row of the read tables becomes one."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain.post import ReadableStatus
from domain.recipes import VariantName
from projections.queries.posts import Image, ReadablePost


class ImageView(Struct, frozen=True, kw_only=True):
    """A variant: `width` and `height` in pixels, `file_size` in bytes."""

    url: str
    width: int
    height: int
    file_size: int
    content_type: str


class FailureView(Struct, frozen=True, kw_only=True):
    """Why a photo could not be published: `code` for programs, `message` for people."""

    code: str
    message: str


class PostView(Struct, frozen=True, kw_only=True):
    """A post. `images` gains each variant as it is ready.

    `blurhash` (blurha.sh) and `dominant_colour` (`#rrggbb`) are placeholders to show while a
    published photo loads. They are null until the post is published, and for posts published by
    versions that had no placeholders.
    """

    id: UUID
    user_id: UUID
    caption: str | None
    status: ReadableStatus
    image_key: str
    images: dict[VariantName, ImageView]
    blurhash: str | None
    dominant_colour: str | None
    like_count: int
    comment_count: int
    view_count: int
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    failure: FailureView | UnsetType = UNSET


class PostPage(Struct, frozen=True, kw_only=True):
    """Posts, newest first. Pass `next_cursor` as `cursor` for the next page; null ends the list."""

    items: list[PostView]
    next_cursor: str | None


class PostAccepted(Struct, frozen=True, kw_only=True):
    """The status of the post now. While it is `processing`, poll `Location`."""

    post_id: UUID
    status: ReadableStatus
    image_key: str


# The fields that a view and a row share: a new column of both needs no line here.
_SHARED: Final = tuple(
    name for name in PostView.__struct_fields__ if name in ReadablePost.__struct_fields__
)


def view_of(post: ReadablePost, *, media_url: str) -> PostView:
    """What clients see of a post; `media_url` precedes the key of each image."""
    images = {name: _image_view(image, media_url) for name, image in post.images.items()}
    failure: FailureView | UnsetType = UNSET
    if post.failure_code is not None and post.failure_message is not None:
        failure = FailureView(code=post.failure_code, message=post.failure_message)
    shared = {name: getattr(post, name) for name in _SHARED}
    return PostView(**{**shared, "images": images, "failure": failure})


def _image_view(image: Image, media_url: str) -> ImageView:
    return ImageView(
        url=media_url + image.key,
        width=image.width,
        height=image.height,
        file_size=image.file_size,
        content_type=image.content_type,
    )
