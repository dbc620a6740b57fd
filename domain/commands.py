"""Commands: the changes that users, operators and processes request."""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID, uuid4

from msgspec import UNSET, Struct, UnsetType

from domain.events import Stage, StageTimes
from domain.formats import ContentType
from domain.variants import StoredVariant


class Origin(Struct, frozen=True, kw_only=True):
    """Who issues a command, when, and what caused it; event ids derive from `command_id`."""

    command_id: UUID
    actor: str
    at: datetime
    correlation_id: UUID
    causation_id: UUID


def origin_of_request(*, actor: str, at: datetime, correlation_id: UUID) -> Origin:
    """The origin of a command that no event caused: the request itself is the cause.

    Clients choose correlation ids, so two users may send the same one; causes are never shared.
    """
    command_id = uuid4()
    return Origin(
        command_id=command_id,
        actor=actor,
        at=at,
        correlation_id=correlation_id,
        causation_id=command_id,
    )


class CreatePost(Struct, frozen=True, kw_only=True):
    """Announce a photo and open its upload."""

    origin: Origin
    post_id: UUID
    user_id: UUID
    caption: str | None
    alt: str | None = None
    filename: str
    content_type: ContentType
    file_size: int
    sha256: str
    image_key: str
    upload_expires_at: datetime


class AdoptOriginal(Struct, frozen=True, kw_only=True):
    """Make a post of a stored original that the log does not know: it was restored from a backup.

    What only the lost event knew (the texts, the name of the file) stays lost.
    """

    origin: Origin
    post_id: UUID
    user_id: UUID
    content_type: ContentType
    file_size: int
    sha256: str
    image_key: str


class CaptionPost(Struct, frozen=True, kw_only=True):
    """Change the caption, the alternative text or both; only the owner may. Unset keeps a text."""

    origin: Origin
    post_id: UUID
    user_id: UUID
    caption: str | UnsetType | None = UNSET
    alt: str | UnsetType | None = UNSET


class ConfirmUpload(Struct, frozen=True, kw_only=True):
    """Confirm that the announced bytes are stored; the caller has checked them.

    `may_be_late` confirms it after its end as well: the store takes no bytes that come later.
    """

    origin: Origin
    post_id: UUID
    may_be_late: bool = False


class RecordVariant(Struct, frozen=True, kw_only=True):
    """Record one stored variant; the last one publishes the post, with its placeholder.

    `stages`: the time this attempt has taken so far.
    """

    origin: Origin
    post_id: UUID
    variant: StoredVariant
    blurhash: str
    dominant_colour: str
    stages: StageTimes


class FailPost(Struct, frozen=True, kw_only=True):
    """Fail the post, with a code for machines and a message for people.

    `retries` fences late attempts: how often the post had been retried when the failed attempt
    began. If it was retried since, the command does nothing. None fails the post as it is now.
    """

    origin: Origin
    post_id: UUID
    retries: int | None = None
    code: str
    message: str
    stage: Stage | None
    attempt: int


class RetryPost(Struct, frozen=True, kw_only=True):
    """Retry a failed post. `user_id` is its owner, or None for an operator."""

    origin: Origin
    post_id: UUID
    user_id: UUID | None


class ReprocessPost(Struct, frozen=True, kw_only=True):
    """Replace all variants of a published post by those of a newer recipe version."""

    origin: Origin
    post_id: UUID
    variants: tuple[StoredVariant, ...]
    blurhash: str
    dominant_colour: str


class FailReprocessing(Struct, frozen=True, kw_only=True):
    """Record that a published post could not be reprocessed with this recipe version."""

    origin: Origin
    post_id: UUID
    code: str
    message: str
    recipe_version: int


class DeletePost(Struct, frozen=True, kw_only=True):
    """Delete the post; only its owner may. `only_pending`: do nothing once it is uploaded."""

    origin: Origin
    post_id: UUID
    user_id: UUID
    only_pending: bool = False


class ExpireUpload(Struct, frozen=True, kw_only=True):
    """Close an upload that was not completed in time."""

    origin: Origin
    post_id: UUID


Command: TypeAlias = (
    CreatePost
    | AdoptOriginal
    | CaptionPost
    | ConfirmUpload
    | RecordVariant
    | FailPost
    | RetryPost
    | ReprocessPost
    | FailReprocessing
    | DeletePost
    | ExpireUpload
)
