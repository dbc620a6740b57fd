"""The SLO, audited: how long posts took from complete to published, and why others failed.

The figures come from `audit_runs`, which follows the events alone; `nova projections verify audit`
compares it with the log. What no event records is listed, not estimated.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, LiteralString, TypeAlias

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_all, fetch_one

Stage: TypeAlias = Literal["queue_wait", "download", "transcode", "upload"]
# How many posts took how many milliseconds.
Histogram: TypeAlias = Mapping[int, int]

PROMISED_SECONDS: Final = (2.0, 5.0)
# Recorded by `post.published` since its third version.
STAGES: Final[tuple[Stage, ...]] = ("queue_wait", "download", "transcode", "upload")
# Happens after the last event and appends none.
NOT_RECORDED: Final = ("projection",)
_PERCENTILES: Final = (50, 90, 99)

_SPAN: Final = {"since": "-infinity", "until": "infinity"}
# What is measured, and the expression for its milliseconds.
_FIGURES: Final[dict[LiteralString, LiteralString]] = {
    "whole": "round(1000 * extract(epoch FROM ended_at - started_at))::integer",
    "queue_wait": "queue_ms",
    "download": "download_ms",
    "transcode": "transcode_ms",
    "upload": "upload_ms",
}
_IN_SPAN: Final[LiteralString] = """
ended_at >= %(since)s::timestamptz AND ended_at < %(until)s::timestamptz
    AND started_at >= %(since)s::timestamptz
"""
_FAILED: Final[LiteralString] = f"""
SELECT outcome AS code, count(*) AS posts FROM audit_runs
WHERE {_IN_SPAN} AND outcome NOT IN ('published', 'deleted')
GROUP BY outcome
"""
_UNFINISHED: Final[LiteralString] = """
SELECT count(*) AS posts,
       (SELECT position FROM projection_positions WHERE projection = 'audit') AS measured_up_to
FROM audit_runs
WHERE started_at >= %(since)s::timestamptz AND started_at < %(until)s::timestamptz
  AND (ended_at IS NULL OR ended_at >= %(until)s::timestamptz)
"""


class Spread(Struct, frozen=True, kw_only=True):
    """Percentiles of a figure over posts, in seconds, by nearest rank; null if there is none."""

    count: int
    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None


class Slo(Struct, frozen=True, kw_only=True):
    """Posts against the SLO; times in seconds, measured to the millisecond.

    `stages` are of the attempt that published, with everything before it in `queue_wait`.
    `share_within` goes from promised seconds to the share of published posts. Events after position
    `measured_up_to` are not counted yet.
    """

    since: datetime | None
    until: datetime | None
    measured_up_to: int
    complete_to_published: Spread
    share_within: dict[str, float | None]
    stages: dict[str, Spread]
    not_recorded: tuple[str, ...]
    failures: dict[str, int]
    unfinished: int


class Runs(Struct, frozen=True, kw_only=True):
    """The runs of one span of time, from an upload or a retry to their ends."""

    published: Histogram
    stages: dict[Stage, Histogram]
    failures: dict[str, int]
    unfinished: int
    measured_up_to: int


class _Figure(Struct, frozen=True):
    figure: str
    milliseconds: int
    posts: int


class _Failure(Struct, frozen=True):
    code: str
    posts: int


class _Unfinished(Struct, frozen=True):
    posts: int
    measured_up_to: int


async def measure_runs(
    connection: AsyncConnection[object], *, since: datetime | None, until: datetime | None
) -> Runs:
    """The runs from `since` to `until`; one counts if its beginning and its end lie in between."""
    span = {"since": since or _SPAN["since"], "until": until or _SPAN["until"]}
    histograms: dict[str, dict[int, int]] = {"whole": {}, **{name: {} for name in STAGES}}
    for each in await fetch_all(connection, _Figure, _published(), span):
        histograms[each.figure][each.milliseconds] = each.posts
    failed = await fetch_all(connection, _Failure, _FAILED, span)
    unfinished = await fetch_one(connection, _Unfinished, _UNFINISHED, span)
    assert unfinished is not None  # noqa: S101 - an aggregate has a row
    return Runs(
        published=histograms["whole"],
        stages={name: histograms[name] for name in STAGES},
        failures=dict(Counter({each.code: each.posts for each in failed}).most_common()),
        unfinished=unfinished.posts,
        measured_up_to=unfinished.measured_up_to,
    )


def _published() -> LiteralString:
    """One pass for each figure: each reads an index alone, and returns few rows."""
    return " UNION ALL ".join(
        f"""
        SELECT '{name}' AS figure, {milliseconds} AS milliseconds, count(*) AS posts
        FROM audit_runs
        WHERE {_IN_SPAN} AND outcome = 'published' AND {milliseconds} IS NOT NULL
        GROUP BY 2
        """
        for name, milliseconds in _FIGURES.items()
    )


def slo_of(runs: Runs, *, since: datetime | None, until: datetime | None) -> Slo:
    """The figures of some runs."""
    return Slo(
        since=since,
        until=until,
        measured_up_to=runs.measured_up_to,
        complete_to_published=spread(runs.published),
        share_within={
            f"{limit:g}": share_within(runs.published, limit) for limit in PROMISED_SECONDS
        },
        stages={name: spread(histogram) for name, histogram in runs.stages.items()},
        not_recorded=NOT_RECORDED,
        failures=runs.failures,
        unfinished=runs.unfinished,
    )


def share_within(histogram: Histogram, seconds: float) -> float | None:
    """The share of posts that took at most so long; None without any."""
    total = sum(histogram.values())
    within = sum(posts for taken, posts in histogram.items() if taken <= 1000 * seconds)
    return within / total if total else None


def spread(histogram: Histogram) -> Spread:
    """The percentiles, each a measured time."""
    total = sum(histogram.values())
    if not total:
        return Spread(count=0, p50=None, p90=None, p99=None, max=None)
    p50, p90, p99 = (_nearest_rank(histogram, -(-total * cut // 100)) for cut in _PERCENTILES)
    return Spread(count=total, p50=p50, p90=p90, p99=p99, max=max(histogram) / 1000)


def _nearest_rank(histogram: Histogram, rank: int) -> float:
    passed = 0
    for taken in sorted(histogram):
        passed += histogram[taken]
        if passed >= rank:
            return taken / 1000
    raise ValueError(rank)
