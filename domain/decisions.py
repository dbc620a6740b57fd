"""Decisions: the events that a command leads to, given the state of the post.

Pure functions: time and ids come with the command. Commands are idempotent: one that is already
carried out leads to no event, so that every caller may retry.
"""

from datetime import datetime, timedelta
from typing import Literal, TypedDict, assert_never
from uuid import UUID, uuid5

from msgspec import UNSET

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
from domain.errors import (
    PermanentlyFailed,
    PostAlreadyExists,
    PostNotFailed,
    PostNotFound,
    PostNotProcessing,
    PostNotPublished,
    RetriesExhausted,
    UploadExpired,
)
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
from domain.failures import MAX_OWNER_RETRIES, PERMANENT_CODES
from domain.post import Post, evolve
from domain.recipes import variants_of
from domain.variants import StoredVariant


def decide(post: Post | None, command: Command) -> list[Event]:
    """The events that `command` leads to, in order; none if nothing is left to do.

    Raises:
        DomainError: the command is refused; the leaf says why.
    """
    if isinstance(command, CreatePost | AdoptOriginal):
        return _begin(post, command)
    if post is None or post.status == "deleted":
        raise PostNotFound(command.post_id)
    match command:
        case CaptionPost():
            return _caption_post(post, command)
        case ConfirmUpload():
            return _confirm_upload(post, command)
        case RecordVariant():
            return _record_variant(post, command)
        case FailPost():
            return _fail(post, command)
        case RetryPost():
            return _retry(post, command)
        case ReprocessPost():
            return _reprocess_post(post, command)
        case FailReprocessing():
            return _fail_reprocessing(post, command)
        case DeletePost():
            return _delete(post, command)
        case ExpireUpload():
            return _expire_upload(post, command)
        case _:
            assert_never(command)


class _Header(TypedDict):
    post_id: UUID
    version: int
    event_id: UUID
    recorded_at: datetime
    actor: str
    correlation_id: UUID
    causation_id: UUID


def event_id_of(command_id: UUID, *, version: int) -> UUID:
    """The id of the event that a command appends as this version of its post."""
    return uuid5(command_id, str(version))


def _header(origin: Origin, post_id: UUID, *, version: int, at: datetime) -> _Header:
    return _Header(
        post_id=post_id,
        version=version,
        event_id=event_id_of(origin.command_id, version=version),
        recorded_at=at,
        actor=origin.actor,
        correlation_id=origin.correlation_id,
        causation_id=origin.causation_id,
    )


def _next(post: Post, origin: Origin, *, ahead: int = 1) -> _Header:
    # Clocks of machines differ, but within a post time must not run backwards.
    at = max(origin.at, post.updated_at)
    return _header(origin, post.id, version=post.version + ahead, at=at)


def _begin(post: Post | None, command: CreatePost | AdoptOriginal) -> list[Event]:
    if isinstance(command, AdoptOriginal):
        return [] if post else _adopt(command)
    if post is not None:
        raise PostAlreadyExists(post.id)
    return [
        PostCreated(
            **_header(command.origin, command.post_id, version=1, at=command.origin.at),
            user_id=command.user_id,
            caption=command.caption,
            alt=command.alt,
            filename=command.filename,
            content_type=command.content_type,
            file_size=command.file_size,
            sha256=command.sha256,
            image_key=command.image_key,
            upload_expires_at=command.upload_expires_at,
        )
    ]


def _adopt(command: AdoptOriginal) -> list[Event]:
    created = PostCreated(
        **_header(command.origin, command.post_id, version=1, at=command.origin.at),
        user_id=command.user_id,
        caption=None,
        alt=None,
        filename=command.image_key.rpartition("/")[2],
        content_type=command.content_type,
        file_size=command.file_size,
        sha256=command.sha256,
        image_key=command.image_key,
        # No upload ends before it begins, and this one is over.
        upload_expires_at=command.origin.at + timedelta(seconds=1),
    )
    confirm = ConfirmUpload(origin=command.origin, post_id=command.post_id)
    return [created, *_confirm_upload(evolve(None, created), confirm)]


def _caption_post(post: Post, command: CaptionPost) -> list[Event]:
    if command.user_id != post.user_id:
        raise PostNotFound(post.id)
    caption = post.caption if command.caption is UNSET else command.caption
    alt = post.alt if command.alt is UNSET else command.alt
    if (caption, alt) == (post.caption, post.alt):
        return []
    return [PostCaptioned(**_next(post, command.origin), caption=caption, alt=alt)]


def _confirm_upload(post: Post, command: ConfirmUpload) -> list[Event]:
    if post.status != "pending":
        return []
    if command.origin.at >= post.upload_expires_at and not command.may_be_late:
        raise UploadExpired(post.id, expired_at=post.upload_expires_at)
    return [
        PostUploaded(
            **_next(post, command.origin),
            image_key=post.image_key,
            file_size=post.file_size,
            sha256=post.sha256,
        )
    ]


def _record_variant(post: Post, command: RecordVariant) -> list[Event]:
    variant = command.variant
    recorded = post.variants.get(variant.name)
    # During a deployment, attempts of two recipe versions can meet in one post. Each replaces the
    # other's variants, so that any attempt that completes finds its own set complete.
    if recorded and recorded.recipe_version == variant.recipe_version:
        return []
    if post.status != "processing":
        raise PostNotProcessing(post.id, status=post.status)
    ready: list[Event] = [VariantReady(**_next(post, command.origin), variant=variant)]
    if _completes(post, variant):
        ready.append(
            PostPublished(
                **_next(post, command.origin, ahead=2),
                blurhash=command.blurhash,
                dominant_colour=command.dominant_colour,
                stages=command.stages,
            )
        )
    return ready


def _completes(post: Post, variant: StoredVariant) -> bool:
    needed = variants_of(variant.recipe_version)
    return needed is not None and needed <= {*post.variants, variant.name}


def _fail(post: Post, command: FailPost) -> list[Event]:
    is_outdated = command.retries is not None and command.retries != post.retries
    if post.status != "processing" or is_outdated:
        return []
    return [
        PostFailed(
            **_next(post, command.origin),
            code=command.code,
            message=command.message,
            stage=command.stage,
            attempt=command.attempt,
        )
    ]


def _retry(post: Post, command: RetryPost) -> list[Event]:
    if command.user_id not in {None, post.user_id}:
        raise PostNotFound(post.id)
    if post.status == "processing":
        return []
    if post.status != "failed":
        raise PostNotFailed(post.id, status=post.status)
    if command.user_id is not None:
        _limit_owner(post)
    return [PostRetried(**_next(post, command.origin))]


def _limit_owner(post: Post) -> None:
    """Refuse retries that cannot help or are too many; operators have no such limit."""
    if post.failure and post.failure.code in PERMANENT_CODES:
        raise PermanentlyFailed(post.id, code=post.failure.code)
    if post.owner_retries >= MAX_OWNER_RETRIES:
        raise RetriesExhausted(post.id, limit=MAX_OWNER_RETRIES)


def _reprocess_post(post: Post, command: ReprocessPost) -> list[Event]:
    if post.status != "published":
        raise PostNotPublished(post.id, status=post.status)
    newest = min(variant.recipe_version for variant in command.variants)
    if post.recipe_version >= newest:
        return []
    return [
        PostReprocessed(
            **_next(post, command.origin),
            variants=command.variants,
            blurhash=command.blurhash,
            dominant_colour=command.dominant_colour,
        )
    ]


def _fail_reprocessing(post: Post, command: FailReprocessing) -> list[Event]:
    if post.status != "published" or post.recipe_version >= command.recipe_version:
        return []
    return [
        PostNotReprocessed(
            **_next(post, command.origin),
            code=command.code,
            message=command.message,
            recipe_version=command.recipe_version,
        )
    ]


def _delete(post: Post, command: DeletePost) -> list[Event]:
    if command.user_id != post.user_id:
        raise PostNotFound(post.id)
    if command.only_pending and post.status != "pending":
        return []
    reason: Literal["owner", "upload_abandoned"] = (
        "upload_abandoned" if post.status == "pending" else "owner"
    )
    return [PostDeleted(**_next(post, command.origin), reason=reason)]


def _expire_upload(post: Post, command: ExpireUpload) -> list[Event]:
    if post.status != "pending" or command.origin.at < post.upload_expires_at:
        return []
    return [PostDeleted(**_next(post, command.origin), reason="upload_expired")]
