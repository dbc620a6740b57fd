"""The lifecycle: the legal transitions of a post, stated apart from `decide` to check it by.

Histories outlive the code that decided them, so the audit replays each history against this table
and judges every event by the recipe version it carries.
"""

from collections.abc import Collection, Sequence
from typing import Final, TypeAlias, assert_never
from uuid import UUID

from msgspec import Struct

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
    topic_of,
)
from domain.post import Post, Status, evolve
from domain.recipes import variants_of
from domain.variants import StoredVariant

Before: TypeAlias = Status | None
_ANY_BUT_DELETED: Final[frozenset[Before]] = frozenset(
    {"pending", "processing", "published", "failed"}
)


class IllegalTransition(Struct, frozen=True, kw_only=True):
    """An event that is not legal in the state its post was in."""

    post_id: UUID
    version: int
    topic: str
    reason: str


def replay(events: Sequence[Event]) -> Post | IllegalTransition | None:
    """Fold a whole history into its post, or return its first illegal transition.

    None for an empty history. `fold` does the same without checks.
    """
    post: Post | None = None
    for version, event in enumerate(events, start=1):
        if reason := _illegal(post, event, version=version):
            return IllegalTransition(
                post_id=event.post_id, version=event.version, topic=topic_of(event), reason=reason
            )
        post = evolve(post, event)
    return post


def _illegal(post: Post | None, event: Event, *, version: int) -> str | None:
    if event.version != version:
        return f"version {version} is missing"
    status = post.status if post else None
    if status not in _allowed_in(event):
        return f"the post was {status or 'not there'}"
    match event:
        case VariantReady():
            return _illegal_variant(post, event.variant)
        case PostPublished():
            return _incomplete(post.variants.values() if post else ())
        case PostReprocessed():
            return _incomplete(event.variants)
        case _:
            return None


def _illegal_variant(post: Post | None, variant: StoredVariant) -> str | None:
    recipe_version = variant.recipe_version
    before = post.variants.get(variant.name) if post else None
    if before and before.recipe_version == recipe_version:
        return f"the {variant.name} variant was ready before"
    names = variants_of(recipe_version)
    if names is not None and variant.name not in names:
        return f"recipe version {recipe_version} has no {variant.name} variant"
    return None


def _incomplete(variants: Collection[StoredVariant]) -> str | None:
    """Check that the set of some recipe version among `variants` is complete.

    Two versions can meet in one post during a deployment. A version this code does not know is not
    judged.
    """
    names = {variant.name for variant in variants}
    sets = [variants_of(variant.recipe_version) for variant in variants]
    is_complete = any(needed is None or needed <= names for needed in sets)
    return None if is_complete else "not all variants were ready"


def _allowed_in(event: Event) -> frozenset[Before]:
    """The statuses in which an event is legal; None is before the first event."""
    match event:
        case PostCreated():
            return frozenset({None})
        case PostUploaded():
            return frozenset({"pending"})
        case VariantReady() | PostPublished() | PostFailed():
            return frozenset({"processing"})
        case PostRetried():
            return frozenset({"failed"})
        case PostReprocessed() | PostNotReprocessed():
            return frozenset({"published"})
        case PostCaptioned() | PostDeleted():
            return _ANY_BUT_DELETED
        case _:
            assert_never(event)
