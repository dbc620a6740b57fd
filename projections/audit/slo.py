"""The promise, audited: how long posts took from complete to published, from the events alone.

One pass over the log in the order of positions; memory holds the posts in flight and one figure
for each measured one. What no event records is named instead of guessed.
"""

from array import array
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from psycopg import AsyncConnection

from projections.audit.events import AuditedEvent, EventFilter, stream_events

PROMISED_SECONDS: Final = (2.0, 5.0)
# What `post.published` says of each, since its third version.
_STAGES: Final = {
    "queue_wait": "queue_ms",
    "download": "download_ms",
    "transcode": "transcode_ms",
    "upload": "upload_ms",
}
# It comes after the last event, and leaves none.
NOT_RECORDED: Final = ("projection",)
_ZonedTime: TypeAlias = Annotated[datetime, Meta(tz=True)]
_PERCENTILES: Final = (50, 90, 99)


class Spread(Struct, frozen=True, kw_only=True):
    """How a figure is spread over posts, by nearest rank; null where nothing was measured."""

    count: int
    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None


class Slo(Struct, frozen=True, kw_only=True):
    """Posts against the promise; times in seconds.

    `stages` are of the attempt that published, with everything before it in `queue_wait`.
    `share_within` goes from promised seconds to the share of published posts.
    """

    since: datetime | None
    until: datetime | None
    complete_to_published: Spread
    share_within: dict[str, float | None]
    stages: dict[str, Spread]
    not_recorded: tuple[str, ...]
    failures: dict[str, int]
    unfinished: int


class SloMeter:
    """Takes events of the log in order and keeps what the promise is judged by."""

    def __init__(self) -> None:
        self.taken = 0
        self.seconds: array[float] = array("d")
        self._stages: dict[str, array[float]] = {name: array("d") for name in _STAGES}
        self._failures: Counter[str] = Counter()
        self._uploaded_at: dict[UUID, datetime] = {}

    def take(self, event: AuditedEvent) -> None:
        """Take the next event; one without a readable time or an upload before it says nothing."""
        self.taken += 1
        at = _time(event.recorded_at)
        if at is None:
            return
        if event.type in {"post.uploaded", "post.retried"}:
            self._uploaded_at[event.post_id] = at
        elif event.type != "post.variant_ready":
            self._end(event, at)

    def result(self, *, since: datetime | None, until: datetime | None) -> Slo:
        """What was measured so far."""
        return Slo(
            since=since,
            until=until,
            complete_to_published=spread(self.seconds),
            share_within={f"{limit:g}": self._share(limit) for limit in PROMISED_SECONDS},
            stages={name: spread(figures) for name, figures in self._stages.items()},
            not_recorded=NOT_RECORDED,
            failures=dict(self._failures.most_common()),
            unfinished=len(self._uploaded_at),
        )

    def _end(self, event: AuditedEvent, at: datetime) -> None:
        uploaded_at = self._uploaded_at.pop(event.post_id, None)
        if uploaded_at is None:
            return
        if event.type == "post.failed":
            self._failures[str(event.data.get("code"))] += 1
        elif event.type == "post.published":
            self.seconds.append((at - uploaded_at).total_seconds())
            told = event.data.get("stages")
            if isinstance(told, dict):
                for name, field in _STAGES.items():
                    self._stages[name].append(_seconds(told.get(field)))

    def _share(self, limit: float) -> float | None:
        if not self.seconds:
            return None
        return sum(each <= limit for each in self.seconds) / len(self.seconds)


async def measure_slo(
    connection: AsyncConnection[object], *, since: datetime | None, until: datetime | None
) -> AsyncIterator[SloMeter]:
    """Read the log from `since` to `until`; the same meter after every batch, for progress.

    A post counts when its upload was completed in that time, and its end is in it too.
    """
    meter = SloMeter()
    async for batch in stream_events(
        lambda: nullcontext(connection), EventFilter(since=since, until=until)
    ):
        for event in batch:
            meter.take(event)
        yield meter


def spread(figures: Sequence[float]) -> Spread:
    """The percentiles of some figures: each is one that was measured."""
    ordered = sorted(figures)
    ranks = [
        ordered[-(-len(ordered) * cut // 100) - 1] if ordered else None for cut in _PERCENTILES
    ]
    p50, p90, p99 = ranks
    return Spread(
        count=len(ordered), p50=p50, p90=p90, p99=p99, max=ordered[-1] if ordered else None
    )


def _seconds(milliseconds: object) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else 0.0


def _time(recorded_at: str | None) -> datetime | None:
    try:
        return msgspec.convert(recorded_at, _ZonedTime)
    except msgspec.ValidationError:
        return None
