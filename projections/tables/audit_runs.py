"""The table `audit_runs`: from each upload or retry of a post to its end, and how long it took."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, TypeAlias
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict

from domain.events import (
    Event,
    PostDeleted,
    PostFailed,
    PostPublished,
    PostRetried,
    PostUploaded,
    StageTimes,
)
from domain.post import Post
from projections.tables.change import Change
from projections.tables.read_table import ReadTable, insert_into

_Values: TypeAlias = dict[str, Any]
_End: TypeAlias = PostPublished | PostFailed | PostDeleted


class RunRow(Struct, frozen=True, kw_only=True):
    """One run; `outcome` is `published`, `deleted` or a failure's code, and null until it ends.

    The stages, in milliseconds, are those that `post.published` recorded.
    """

    post_id: UUID
    version: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    queue_ms: int | None = None
    download_ms: int | None = None
    transcode_ms: int | None = None
    upload_ms: int | None = None


_INSERT: Final = insert_into("audit_runs", RunRow)
_END: Final = """
UPDATE audit_runs AS run
SET ended_at = change.ended_at, outcome = change.outcome, queue_ms = change.queue_ms,
    download_ms = change.download_ms, transcode_ms = change.transcode_ms,
    upload_ms = change.upload_ms
FROM json_populate_recordset(NULL::audit_runs, %(rows)s::json) AS change
WHERE run.post_id = change.post_id AND run.ended_at IS NULL
"""


def _changes(events: Sequence[Event]) -> list[Change]:
    started: list[_Values] = []
    # Of runs that began in an earlier batch: the first end of a post, since the next have no run.
    ended: dict[UUID, _Values] = {}
    running: dict[UUID, _Values] = {}
    for event in events:
        if isinstance(event, PostUploaded | PostRetried):
            row = asdict(_start(event))
            running[event.post_id] = row
            started.append(row)
        elif isinstance(event, _End):
            if event.post_id in running:
                running.pop(event.post_id).update(_end(event))
            else:
                ended.setdefault(event.post_id, {"post_id": event.post_id, **_end(event)})
    # Runs of earlier batches end before others of the same posts begin.
    return [Change(_END, list(ended.values())), Change(_INSERT, started)]


def _start(event: PostUploaded | PostRetried) -> RunRow:
    return RunRow(post_id=event.post_id, version=event.version, started_at=event.recorded_at)


def _end(event: _End) -> _Values:
    stages = event.stages if isinstance(event, PostPublished) else None
    return {"ended_at": event.recorded_at, "outcome": _outcome(event), **_stages(stages)}


def _outcome(event: _End) -> str:
    match event:
        case PostPublished():
            return "published"
        case PostFailed():
            return event.code
        case PostDeleted():
            return "deleted"


def _stages(stages: StageTimes | None) -> _Values:
    if stages is None:
        return dict.fromkeys(StageTimes.__struct_fields__)
    return asdict(stages)


def _expected(_: Post, events: Sequence[Event]) -> list[RunRow]:
    return list(_runs(events))


def _runs(events: Sequence[Event]) -> Iterator[RunRow]:
    """Each run with the first end that follows it."""
    relevant = [each for each in events if isinstance(each, PostUploaded | PostRetried | _End)]
    for event, following in pairwise([*relevant, None]):
        if isinstance(event, PostUploaded | PostRetried):
            end = _end(following) if isinstance(following, _End) else {}
            yield RunRow(
                post_id=event.post_id,
                version=event.version,
                started_at=event.recorded_at,
                **end,
            )


TABLE: Final = ReadTable(
    name="audit_runs",
    row=RunRow,
    key=("post_id", "version"),
    changes=_changes,
    expected=_expected,
)
