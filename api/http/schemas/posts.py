"""Schemas of posts, and how a row of the read tables becomes one."""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.schemas.fields import (
    POST_ID,
    SHA256,
    Alt,
    Caption,
    ImageKey,
    NameOfVariant,
    PostId,
    Time,
    UserId,
)
from domain.post import ReadableStatus
from projections.queries.posts import Image, ReadablePost


class ImageView(Struct, frozen=True, kw_only=True):
    """A variant of the photo."""

    url: Annotated[
        str,
        Meta(
            description="Where to load it. Named after its bytes: it can be cached forever.",
            examples=[f"https://cdn.example.com/variants/{POST_ID}/thumbnail-{SHA256}.jpg"],
        ),
    ]
    width: Annotated[int, Meta(description="In pixels.", examples=[150])]
    height: Annotated[int, Meta(description="In pixels.", examples=[113])]
    file_size: Annotated[int, Meta(description="In bytes.", examples=[6042])]
    content_type: Annotated[str, Meta(description="Its type.", examples=["image/jpeg"])]


class FailureView(Struct, frozen=True, kw_only=True):
    """Why a photo could not be published."""

    code: Annotated[str, Meta(description="For programs.", examples=["damaged"])]
    message: Annotated[
        str,
        Meta(
            description="For the user, in English.",
            examples=["The photo is damaged. Upload another copy."],
        ),
    ]


class PostView(Struct, frozen=True, kw_only=True):
    """A post."""

    id: PostId
    user_id: UserId
    caption: Caption | None
    alt: Alt | None
    status: Annotated[
        ReadableStatus,
        Meta(
            description="`pending` until the upload is completed, then `processing`, then "
            "`published` or `failed`.",
            examples=["published"],
        ),
    ]
    image_key: ImageKey
    images: Annotated[
        dict[NameOfVariant, ImageView],
        Meta(description="The variants that are ready, by name; all of them once published."),
    ]
    blurhash: Annotated[
        str | None,
        Meta(
            description="Placeholder to show while the photo loads (blurha.sh); null until the "
            "post is published.",
            examples=["LEHV6nWB2yk8pyo0adR*.7kCMdnj"],
        ),
    ]
    dominant_colour: Annotated[
        str | None,
        Meta(
            description="Colour to show while the photo loads; null until the post is published.",
            examples=["#8a7f72"],
        ),
    ]
    like_count: Annotated[int, Meta(description="Likes.", examples=[0])]
    comment_count: Annotated[int, Meta(description="Comments.", examples=[0])]
    view_count: Annotated[int, Meta(description="Views.", examples=[0])]
    created_at: Annotated[
        Time,
        Meta(description="When the photo was announced.", examples=["2026-03-01T08:00:00Z"]),
    ]
    updated_at: Annotated[
        Time, Meta(description="When the post last changed.", examples=["2026-03-01T08:00:03Z"])
    ]
    upload_expires_at: Annotated[
        Time | None,
        Meta(
            description="Until when the upload can be completed; null once it is.",
            examples=["2026-03-01T09:00:00Z"],
        ),
    ]
    published_at: Annotated[
        Time | None,
        Meta(description="When it was published.", examples=["2026-03-01T08:00:03Z"]),
    ]
    failure: Annotated[
        FailureView | UnsetType, Meta(description="Only while `status` is `failed`.")
    ] = UNSET


class EditPost(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes the texts of a post. A field that is left out stays; null removes the text."""

    caption: Caption | UnsetType | None = UNSET
    alt: Alt | UnsetType | None = UNSET


class PostPage(Struct, frozen=True, kw_only=True):
    """A page of posts, newest first."""

    items: Annotated[list[PostView], Meta(description="The posts.")]
    next_cursor: Annotated[
        str | None,
        Meta(
            description="Pass it as `cursor` for the next page; null on the last one.",
            examples=["kqoyMDI2LTAzLTAx"],
        ),
    ]


class PostAccepted(Struct, frozen=True, kw_only=True):
    """The status of the post now. While it is `processing`, poll `Location`."""

    post_id: PostId
    status: Annotated[ReadableStatus, Meta(description="As in the post.", examples=["processing"])]
    image_key: ImageKey


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
