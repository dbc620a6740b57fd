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

from projections.audit import AuditedEvent, EventFilter, stream_events

PROMISED_SECONDS: Final = (2.0, 5.0)
# Stages of the pipeline that leave no event of their own.
NOT_RECORDED: Final = ("queue_wait", "download", "upload", "projection")
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
    """Posts against the promise; times in seconds but for `transcode_milliseconds`.

    `transcode_milliseconds` is what fitting and encoding all variants of a post took, as its
    events say. `share_within` goes from promised seconds to the share of published posts.
    """

    since: datetime | None
    until: datetime | None
    complete_to_published: Spread
    share_within: dict[str, float | None]
    stages: dict[str, Spread]
    transcode_milliseconds: Spread
    not_recorded: tuple[str, ...]
    failures: dict[str, int]
    unfinished: int


class _Flight(Struct):
    uploaded_at: datetime
    variant_at: datetime | None = None
    transcode_ms: float = 0.0


class SloMeter:
    """Takes events of the log in order and keeps what the promise is judged by."""

    def __init__(self) -> None:
        self.taken = 0
        self.seconds: array[float] = array("d")
        self._stages: dict[str, array[float]] = {
            "uploaded_to_first_variant": array("d"),
            "between_variants": array("d"),
            "last_variant_to_published": array("d"),
        }
        self._transcode_ms: array[float] = array("d")
        self._failures: Counter[str] = Counter()
        self._flights: dict[UUID, _Flight] = {}

    def take(self, event: AuditedEvent) -> None:
        """Take the next event; one without a readable time or an upload before it says nothing."""
        self.taken += 1
        at = _time(event.recorded_at)
        if at is None:
            return
        if event.type == "post.uploaded":
            self._flights[event.post_id] = _Flight(uploaded_at=at)
        elif flight := self._flights.get(event.post_id):
            self._advance(flight, event, at)

    def result(self, *, since: datetime | None, until: datetime | None) -> Slo:
        """What was measured so far."""
        return Slo(
            since=since,
            until=until,
            complete_to_published=spread(self.seconds),
            share_within={f"{limit:g}": self._share(limit) for limit in PROMISED_SECONDS},
            stages={name: spread(figures) for name, figures in self._stages.items()},
            transcode_milliseconds=spread(self._transcode_ms),
            not_recorded=NOT_RECORDED,
            failures=dict(self._failures.most_common()),
            unfinished=len(self._flights),
        )

    def _advance(self, flight: _Flight, event: AuditedEvent, at: datetime) -> None:
        if event.type == "post.variant_ready":
            stage = "between_variants" if flight.variant_at else "uploaded_to_first_variant"
            self._stages[stage].append(_seconds(flight.variant_at or flight.uploaded_at, at))
            flight.variant_at = at
            flight.transcode_ms += _milliseconds(event)
            return
        if event.type == "post.published":
            self._publish(flight, at)
        elif event.type == "post.failed":
            self._failures[str(event.data.get("code"))] += 1
        del self._flights[event.post_id]

    def _publish(self, flight: _Flight, at: datetime) -> None:
        self.seconds.append(_seconds(flight.uploaded_at, at))
        self._transcode_ms.append(flight.transcode_ms)
        if flight.variant_at is not None:
            self._stages["last_variant_to_published"].append(_seconds(flight.variant_at, at))

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


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()


def _milliseconds(event: AuditedEvent) -> float:
    told = event.data.get("milliseconds")
    return float(told) if isinstance(told, int | float) else 0.0


def _time(recorded_at: str | None) -> datetime | None:
    try:
        return msgspec.convert(recorded_at, _ZonedTime)
    except msgspec.ValidationError:
        return None
