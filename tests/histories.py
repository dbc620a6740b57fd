"""Histories: commands with sensible values, and posts that have come some way."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from domain.commands import (
    AdoptOriginal,
    CaptionPost,
    Command,
    ConfirmUpload,
    CreatePost,
    DeletePost,
    ExpireUpload,
    FailPost,
    FailReprocessing,
    Origin,
    RecordVariant,
    ReprocessPost,
    RetryPost,
)
from domain.decisions import decide
from domain.events import Event, StageTimes
from domain.keys import original_key, variant_key
from domain.post import Post, evolve
from domain.recipes import RECIPE_SETS, VariantName
from domain.variants import StoredVariant

# Not the current one: histories stay what they are when a variant is added.
RECIPE_VERSION: Final = 2
RECIPES: Final = RECIPE_SETS[RECIPE_VERSION]
# One that this code does not know.
LATER_RECIPE_VERSION: Final = 1000

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EXPIRY = NOON + timedelta(hours=1)
OWNER = UUID("5f3759df-0000-4000-8000-000000000001")


def origin(*, at: datetime = NOON, actor: str = f"user:{OWNER}") -> Origin:
    """Who asks; a new command id each time."""
    correlation_id = uuid4()
    return Origin(
        command_id=uuid4(),
        actor=actor,
        at=at,
        correlation_id=correlation_id,
        causation_id=correlation_id,
    )


def create_post(post_id: UUID | None = None, **changes: Any) -> CreatePost:
    """Announce a 200 kB JPEG with a caption."""
    post_id = post_id or uuid4()
    values: dict[str, Any] = {
        "origin": origin(),
        "post_id": post_id,
        "user_id": OWNER,
        "caption": "A quiet morning",
        "alt": "Fog over a lake",
        "filename": "IMG_0001.jpg",
        "content_type": "image/jpeg",
        "file_size": 200_000,
        "sha256": "a" * 64,
        "image_key": original_key(post_id),
        "upload_expires_at": EXPIRY,
    }
    return CreatePost(**{**values, **changes})


def adopt_original(post_id: UUID, **changes: Any) -> AdoptOriginal:
    """Make a post of a stored 200 kB JPEG."""
    values: dict[str, Any] = {
        "origin": origin(actor="cli:operator@host"),
        "post_id": post_id,
        "user_id": OWNER,
        "content_type": "image/jpeg",
        "file_size": 200_000,
        "sha256": "a" * 64,
        "image_key": original_key(post_id),
    }
    return AdoptOriginal(**{**values, **changes})


def caption_post(post_id: UUID, *, user_id: UUID = OWNER, **texts: str | None) -> CaptionPost:
    """Change the texts."""
    return CaptionPost(origin=origin(), post_id=post_id, user_id=user_id, **texts)


def confirm_upload(post_id: UUID, *, at: datetime = NOON) -> ConfirmUpload:
    """Say that the photo is there."""
    return ConfirmUpload(origin=origin(at=at), post_id=post_id)


def stored_variant(post_id: UUID, name: VariantName, **changes: Any) -> StoredVariant:
    """A variant as it is stored, with bytes that no other one has."""
    sha256 = hashlib.sha256(f"{name}{sorted(changes.items())}".encode()).hexdigest()
    values: dict[str, Any] = {
        "name": name,
        "key": variant_key(post_id, name, sha256=sha256),
        "content_type": "image/jpeg",
        "width": 150,
        "height": 113,
        "file_size": 4321,
        "sha256": sha256,
        "quality": 80,
        "milliseconds": 12.5,
        "recipe_version": RECIPE_VERSION,
        "encoder": "libvips 8.18.7",
        "shrunk": False,
        "removed_metadata": ("exif", "gps"),
    }
    return StoredVariant(**{**values, **changes})


def record_variant(
    post_id: UUID, variant: VariantName, *, recipe_version: int = RECIPE_VERSION
) -> RecordVariant:
    """Record that a variant is stored."""
    return RecordVariant(
        origin=origin(actor="system:transcoder"),
        post_id=post_id,
        variant=stored_variant(post_id, variant, recipe_version=recipe_version),
        blurhash="LBDbNM^Q0#58N1-U%1g3aK%2-p%2",
        dominant_colour="#322c2a",
        stages=StageTimes(queue_ms=20, download_ms=30, transcode_ms=140, upload_ms=40),
    )


def fail_post(post_id: UUID, *, code: str = "internal_error") -> FailPost:
    """Give the photo up, for a reason that a retry may mend."""
    return FailPost(
        origin=origin(actor="system:transcoder"),
        post_id=post_id,
        code=code,
        message="The photo is damaged.",
        stage="render",
        attempt=1,
    )


def retry_post(post_id: UUID, *, user_id: UUID | None = OWNER) -> RetryPost:
    """Try it once more, as a user or, without one, as an operator."""
    actor = f"user:{user_id}" if user_id else "cli:operator@host"
    return RetryPost(origin=origin(actor=actor), post_id=post_id, user_id=user_id)


def reprocess_post(post_id: UUID, *, recipe_version: int = LATER_RECIPE_VERSION) -> ReprocessPost:
    """Record that all variants were rendered again."""
    variants = tuple(
        stored_variant(
            post_id,
            recipe.variant,
            file_size=3456,
            recipe_version=recipe_version,
            encoder="libvips 8.19.0",
        )
        for recipe in RECIPES
    )
    return ReprocessPost(
        origin=origin(actor="system:transcoder"),
        post_id=post_id,
        variants=variants,
        blurhash="LEHV6nWB2yk8pyo0adR*.7kCMdnj",
        dominant_colour="#0a0b0c",
    )


def fail_reprocessing(post_id: UUID) -> FailReprocessing:
    """Give up making them again."""
    return FailReprocessing(
        origin=origin(actor="system:transcoder"),
        post_id=post_id,
        code="original_missing",
        message="The photo is no longer there.",
        recipe_version=LATER_RECIPE_VERSION,
    )


def delete_post(post_id: UUID, *, user_id: UUID = OWNER) -> DeletePost:
    """Take the post away."""
    return DeletePost(origin=origin(), post_id=post_id, user_id=user_id)


def expire_upload(post_id: UUID, *, at: datetime = EXPIRY) -> ExpireUpload:
    """Close the upload."""
    return ExpireUpload(origin=origin(at=at), post_id=post_id)


def publishing_commands(post_id: UUID) -> list[Command]:
    """Everything that it takes to publish a post."""
    variants = [record_variant(post_id, recipe.variant) for recipe in RECIPES]
    return [create_post(post_id), confirm_upload(post_id), *variants]


def after(*commands: Command) -> tuple[Post, list[Event]]:
    """The post and all its events after these commands."""
    post: Post | None = None
    events: list[Event] = []
    for command in commands:
        for event in decide(post, command):
            post = evolve(post, event)
            events.append(event)
    assert post is not None
    return post, events
