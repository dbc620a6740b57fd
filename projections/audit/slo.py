"""The SLO, audited: seconds from complete to published, from the events alone.

One pass over the log in the order of positions; memory holds the posts in flight and one figure
per measured post. What no event records is listed, not estimated.
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
# Recorded by `post.published` since its third version.
_STAGES: Final = {
    "queue_wait": "queue_ms",
    "download": "download_ms",
    "transcode": "transcode_ms",
    "upload": "upload_ms",
}
# Happens after the last event and appends none.
NOT_RECORDED: Final = ("projection",)
_ZonedTime: TypeAlias = Annotated[datetime, Meta(tz=True)]
_PERCENTILES: Final = (50, 90, 99)


class Spread(Struct, frozen=True, kw_only=True):
    """Percentiles of a figure over posts, by nearest rank; null if nothing was measured."""

    count: int
    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None


class Slo(Struct, frozen=True, kw_only=True):
    """Posts against the SLO; times in seconds.

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
    """Collects the figures of the SLO from the events of the log, in order."""

    def __init__(self) -> None:
        self.taken = 0
        self.seconds: array[float] = array("d")
        self._stages: dict[str, array[float]] = {name: array("d") for name in _STAGES}
        self._failures: Counter[str] = Counter()
        self._uploaded_at: dict[UUID, datetime] = {}

    def take(self, event: AuditedEvent) -> None:
        """Take the next event; one without a readable time or an earlier upload is ignored."""
        self.taken += 1
        at = _time(event.recorded_at)
        if at is None:
            return
        if event.type in {"post.uploaded", "post.retried"}:
            self._uploaded_at[event.post_id] = at
        elif event.type != "post.variant_ready":
            self._end(event, at)

    def result(self, *, since: datetime | None, until: datetime | None) -> Slo:
        """The figures so far."""
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
            stages = event.data.get("stages")
            if isinstance(stages, dict):
                for name, field in _STAGES.items():
                    self._stages[name].append(_seconds(stages.get(field)))

    def _share(self, limit: float) -> float | None:
        if not self.seconds:
            return None
        return sum(each <= limit for each in self.seconds) / len(self.seconds)


async def measure_slo(
    connection: AsyncConnection[object], *, since: datetime | None, until: datetime | None
) -> AsyncIterator[SloMeter]:
    """Read the log from `since` to `until`; yields the same meter after every batch.

    A post counts if both its upload and its end lie in that span.
    """
    meter = SloMeter()
    async for batch in stream_events(
        lambda: nullcontext(connection), EventFilter(since=since, until=until)
    ):
        for event in batch:
            meter.take(event)
        yield meter


def spread(figures: Sequence[float]) -> Spread:
    """The percentiles of some figures, each a measured one."""
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
