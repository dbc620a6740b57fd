"""Paths: what may happen to a post when, said once more beside the decisions, to check them by.

Histories outlive the code that decided them: whoever audits a log asks here, not `decide`, whether
every event in it could have happened.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias, assert_never
from uuid import UUID

from msgspec import Struct

from domain.events import (
    Event,
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
from domain.recipes import RECIPES

Before: TypeAlias = Status | None
_ANY_BUT_DELETED: Final[frozenset[Before]] = frozenset(
    {"pending", "processing", "published", "failed"}
)


class Misstep(Struct, frozen=True, kw_only=True):
    """An event that cannot have happened to its post, and why not."""

    post_id: UUID
    version: int
    topic: str
    why: str


def follow(events: Sequence[Event]) -> Post | Misstep | None:
    """The post that a whole history tells, or the first event that is off the paths; None of none.

    As `fold`, which asks no questions.
    """
    post: Post | None = None
    for version, event in enumerate(events, start=1):
        if why := _why_not(post, event, version=version):
            return Misstep(
                post_id=event.post_id, version=event.version, topic=topic_of(event), why=why
            )
        post = evolve(post, event)
    return post


def _why_not(post: Post | None, event: Event, *, version: int) -> str | None:
    if event.version != version:
        return f"version {version} is missing"
    status = post.status if post else None
    if status not in _allowed_in(event):
        return f"the post was {status or 'not there'}"
    made = post.variants.keys() if post else frozenset[str]()
    if isinstance(event, VariantReady) and event.variant in made:
        return f"the {event.variant} variant was ready before"
    if isinstance(event, PostPublished) and made != {recipe.variant for recipe in RECIPES}:
        return "not all variants were ready"
    return None


def _allowed_in(event: Event) -> frozenset[Before]:
    """What a post can be when this happens to it; None is the post before its first event."""
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
        case PostDeleted():
            return _ANY_BUT_DELETED
        case _:
            assert_never(event)
