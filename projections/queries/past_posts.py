"""Past posts: a post as reads showed it at some time, folded from its events."""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile

import msgspec
from msgspec.structs import asdict

from domain.events import Event
from domain.post import fold
from projections.queries.posts import Image, ReadablePost
from projections.tables import post_images, posts


def events_until(
    events: Sequence[Event], *, as_of: datetime | None, version: int | None
) -> list[Event]:
    """The events up to and including a version, or a time if `version` is None.

    The order of versions decides, even where the clocks of several machines disagree: an event that
    follows a later one is later, too.
    """
    if version is not None:
        return [event for event in events if event.version <= version]
    return list(takewhile(lambda event: as_of is None or event.recorded_at <= as_of, events))


def post_after(events: Sequence[Event]) -> ReadablePost | None:
    """The post after these events, or None if there is none to read.

    Its counters are 0: events do not record them.
    """
    post = fold(events)
    rows = posts.TABLE.expected(post, events) if post else []
    if post is None or not rows:
        return None
    images = msgspec.convert(
        post_images.TABLE.expected(post, events), list[Image], from_attributes=True
    )
    return ReadablePost(
        **asdict(rows[0]),
        images={image.variant: image for image in images},
        upload_expires_at=post.upload_expires_at if post.status == "pending" else None,
        like_count=0,
        comment_count=0,
        view_count=0,
    )
