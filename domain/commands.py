"""Commands: what people and processes may ask of a post."""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID, uuid4

from msgspec import Struct

from domain.events import Stage, StageTimes
from domain.formats import ContentType
from domain.variants import StoredVariant


class Origin(Struct, frozen=True, kw_only=True):
    """Who asks, when, and because of what; `command_id` makes the ids of the resulting events."""

    command_id: UUID
    actor: str
    at: datetime
    correlation_id: UUID
    causation_id: UUID


def origin_of_request(*, actor: str, at: datetime, correlation_id: UUID) -> Origin:
    """The origin of a command that starts a chain of its own: the request is its cause."""
    return Origin(
        command_id=uuid4(),
        actor=actor,
        at=at,
        correlation_id=correlation_id,
        causation_id=correlation_id,
    )


class CreatePost(Struct, frozen=True, kw_only=True):
    """Announce a photo and open its upload."""

    origin: Origin
    post_id: UUID
    user_id: UUID
    caption: str | None
    filename: str
    content_type: ContentType
    file_size: int
    sha256: str
    image_key: str
    upload_expires_at: datetime


class ConfirmUpload(Struct, frozen=True, kw_only=True):
    """Say that the announced bytes are stored; the caller has checked that they are."""

    origin: Origin
    post_id: UUID


class RecordVariant(Struct, frozen=True, kw_only=True):
    """Say that one variant is stored; the last one publishes the post, with its placeholder.

    `stages`: what this attempt has taken so far.
    """

    origin: Origin
    post_id: UUID
    variant: StoredVariant
    blurhash: str
    dominant_colour: str
    stages: StageTimes


class FailPost(Struct, frozen=True, kw_only=True):
    """Give the photo up, with a code for machines and a message for people.

    `retries` is how often the post had been retried when the attempt began that gives it up: it
    has no say in what somebody has started since. None is for those who look at the post as it is.
    """

    origin: Origin
    post_id: UUID
    retries: int | None = None
    code: str
    message: str
    stage: Stage | None
    attempt: int


class RetryPost(Struct, frozen=True, kw_only=True):
    """Try a failed photo once more; its owner may, and operators, who are nobody in particular."""

    origin: Origin
    post_id: UUID
    user_id: UUID | None


class ReplaceVariants(Struct, frozen=True, kw_only=True):
    """Say that all variants of a published post were made again and are stored."""

    origin: Origin
    post_id: UUID
    variants: tuple[StoredVariant, ...]
    blurhash: str
    dominant_colour: str


class LeaveVariants(Struct, frozen=True, kw_only=True):
    """Give up making the variants of a published post again with this recipe."""

    origin: Origin
    post_id: UUID
    code: str
    message: str
    recipe_version: int


class DeletePost(Struct, frozen=True, kw_only=True):
    """Take the post away; only its owner may."""

    origin: Origin
    post_id: UUID
    user_id: UUID


class ExpireUpload(Struct, frozen=True, kw_only=True):
    """Close an upload that was announced and never completed in time."""

    origin: Origin
    post_id: UUID


Command: TypeAlias = (
    CreatePost
    | ConfirmUpload
    | RecordVariant
    | FailPost
    | RetryPost
    | ReplaceVariants
    | LeaveVariants
    | DeletePost
    | ExpireUpload
)
