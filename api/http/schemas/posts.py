"""Schemas: what clients send and receive, exactly."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.post import ReadableStatus
from domain.recipes import VariantName

MAX_CAPTION_CHARACTERS = 2200
# PostgreSQL keeps every character in a text but this one.
NO_NUL = r"^[^\x00]*\Z"


class InitUpload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A photo announced: `file_size` in bytes, `sha256` of the file in lower-case hex."""

    filename: Annotated[str, Meta(min_length=1, max_length=255, pattern=NO_NUL)]
    content_type: Annotated[str, Meta(max_length=100)]
    file_size: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    caption: Annotated[str, Meta(max_length=MAX_CAPTION_CHARACTERS, pattern=NO_NUL)] | None = None


class UploadOpened(Struct, frozen=True, kw_only=True):
    """PUT the file to `presigned_url` with exactly `upload_headers`, then complete.

    A PUT answered 412 means that the bytes are already there: complete will succeed.
    """

    post_id: UUID
    presigned_url: str
    upload_headers: dict[str, str]
    upload_token: str
    presigned_url_expires_at: datetime
    upload_token_expires_at: datetime


class RenewUrl(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a fresh URL while the token lives."""

    upload_token: Annotated[str, Meta(max_length=1000)]


class UrlRenewed(Struct, frozen=True, kw_only=True):
    """A fresh URL for the same upload, with the same headers."""

    post_id: UUID
    presigned_url: str
    upload_headers: dict[str, str]
    presigned_url_expires_at: datetime


class CompleteUpload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say that the file is uploaded. Saying it again answers the same and does nothing twice."""

    post_id: UUID
    upload_token: Annotated[str, Meta(max_length=1000)]


class UploadCompleted(Struct, frozen=True, kw_only=True):
    """The photo is being published: look at `Location` after `Retry-After` seconds."""

    post_id: UUID
    status: str
    image_key: str


class ImageView(Struct, frozen=True, kw_only=True):
    """One variant: `width` and `height` in pixels, `file_size` in bytes."""

    url: str
    width: int
    height: int
    file_size: int
    content_type: str


class FailureView(Struct, frozen=True, kw_only=True):
    """Why a photo could not be published: `code` for machines, `message` for people."""

    code: str
    message: str


class PostView(Struct, frozen=True, kw_only=True):
    """A post; `images` fills up as its variants get ready.

    `blurhash` (blurha.sh) and `dominant_colour` (`#rrggbb`) stand in for a published photo while it
    loads; photos that were published before there were any have null.
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
    """Posts, newest first; pass `next_cursor` as `cursor` for the page after this one."""

    items: list[PostView]
    next_cursor: str | None


class VariantView(Struct, frozen=True, kw_only=True):
    """What a variant is bound by; sizes in pixels and bytes."""

    variant: VariantName
    content_type: str
    max_width: int
    max_height: int
    quality: int
    max_bytes: int


class UploadLimits(Struct, frozen=True, kw_only=True):
    """What `upload/init` accepts; sizes in bytes, lifetimes in seconds."""

    min_bytes: int
    max_bytes: int
    max_pixels: int
    max_side: int
    max_caption_characters: int
    presigned_url_seconds: int
    upload_token_seconds: int


class Capabilities(Struct, frozen=True, kw_only=True):
    """What this service accepts and produces, taken from what it really does."""

    content_types: list[str]
    upload: UploadLimits
    variants: list[VariantView]
    recipe_version: int
