"""Events: everything that can happen to a post, in one closed union.

Each event names its post, its version within the post, and who caused it.
The tag is the topic under which it is stored, a literal that no rename in the code can change.
A changed shape is a new `schema_version`; golden files in the tests hold every shape ever written.
"""

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from domain.formats import ContentType
from domain.variants import StoredVariant

Stage: TypeAlias = Literal["download", "render", "upload", "record"]


class Fact(Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    """What every event carries.

    `correlation_id` is shared by everything one request led to; `causation_id` is the request or
    the event that led to this one. `actor` is `user:UUID`, `cli:NAME@HOST` or
    `system:NAME`.
    """

    post_id: UUID
    version: int
    event_id: UUID
    recorded_at: datetime
    actor: str
    correlation_id: UUID
    causation_id: UUID


class PostCreated(Fact, frozen=True, kw_only=True, tag="post.created"):
    """A client announced a photo: what it will upload, and until when it may.

    `alt` describes the photo to those who do not see it. Version 1 had none.
    """

    user_id: UUID
    caption: str | None
    alt: str | None
    filename: str
    content_type: ContentType
    file_size: int
    sha256: str
    image_key: str
    upload_expires_at: datetime
    schema_version: Literal[2] = 2


class PostCaptioned(Fact, frozen=True, kw_only=True, tag="post.captioned"):
    """The owner changed the caption or the alternative text: both as they are from now on."""

    caption: str | None
    alt: str | None
    schema_version: Literal[1] = 1


class PostUploaded(Fact, frozen=True, kw_only=True, tag="post.uploaded"):
    """The announced bytes are in the object store, checked by size and SHA-256."""

    image_key: str
    file_size: int
    sha256: str
    schema_version: Literal[1] = 1


class VariantReady(Fact, frozen=True, kw_only=True, tag="post.variant_ready"):
    """One variant is stored. Versions 1 and 2 held its fields beside those of the event."""

    variant: StoredVariant
    schema_version: Literal[3] = 3


class StageTimes(Struct, frozen=True, kw_only=True):
    """Where the time from complete to published went, in milliseconds.

    `queue_ms` ends when the last attempt begins, so it includes earlier attempts and their pauses.
    """

    queue_ms: int
    download_ms: int
    transcode_ms: int
    upload_ms: int


class PostPublished(Fact, frozen=True, kw_only=True, tag="post.published"):
    """Every variant is ready, and everyone can see the post.

    `blurhash` and `dominant_colour` (`#rrggbb`) stand in for the photo while it loads. Version 1
    had neither, and version 2 no `stages`.
    """

    blurhash: str | None
    dominant_colour: str | None
    stages: StageTimes | None
    schema_version: Literal[3] = 3


class PostFailed(Fact, frozen=True, kw_only=True, tag="post.failed"):
    """The photo could not be published: `code` for machines, `message` for people.

    `stage` is what was going on when the attempt failed. It is null when nothing was: an operator
    cancelled the post, or its attempts took their workers down. Version 1 named some stage always.
    """

    code: str
    message: str
    stage: Stage | None
    attempt: int
    schema_version: Literal[2] = 2


class PostRetried(Fact, frozen=True, kw_only=True, tag="post.retried"):
    """A failed post is processing again and keeps the variants it has."""

    schema_version: Literal[1] = 1


class PostReprocessed(Fact, frozen=True, kw_only=True, tag="post.reprocessed"):
    """All variants of a published post were replaced by those of a newer recipe version."""

    variants: tuple[StoredVariant, ...]
    blurhash: str
    dominant_colour: str
    schema_version: Literal[2] = 2


class PostNotReprocessed(Fact, frozen=True, kw_only=True, tag="post.not_reprocessed"):
    """A published post could not be reprocessed with this recipe version and stays unchanged."""

    code: str
    message: str
    recipe_version: int
    schema_version: Literal[1] = 1


class PostDeleted(Fact, frozen=True, kw_only=True, tag="post.deleted"):
    """The post is deleted; no read shows it.

    `upload_abandoned`: by its owner, before the photo was uploaded. `upload_expired`: by the
    system, because the upload was not completed in time.
    """

    reason: Literal["owner", "upload_abandoned", "upload_expired"]
    schema_version: Literal[1] = 1


Event: TypeAlias = (
    PostCreated
    | PostCaptioned
    | PostUploaded
    | VariantReady
    | PostPublished
    | PostFailed
    | PostRetried
    | PostReprocessed
    | PostNotReprocessed
    | PostDeleted
)


def topic_of(event: Event) -> str:
    """The topic an event is stored under, such as `post.created`."""
    return str(event.__struct_config__.tag)
