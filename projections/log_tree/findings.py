"""Findings: how an event was tampered with since it was sealed."""

from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace
from psycopg import AsyncConnection

from projections.connection import fetch_all, fetch_one, fetch_value
from projections.log_tree.tree import SealableEvent

What: TypeAlias = Literal["changed", "removed", "inserted", "reordered", "unproven"]

_EVENTS: Final = """
SELECT notification_id AS position, originator_id AS post_id, originator_version AS version,
       topic, state
FROM post_events
"""
_OF_VERSION: Final = f"""
{_EVENTS} WHERE originator_id = %(post_id)s AND originator_version = %(version)s
"""
_BETWEEN: Final = f"""
{_EVENTS} WHERE notification_id BETWEEN %(first)s AND %(last)s LIMIT 2
"""
_SEALED_AT: Final = """
SELECT position FROM log_leaves
WHERE originator_id = %(post_id)s AND originator_version = %(version)s
  AND leaf_hash = log_leaf(position, %(post_id)s, %(version)s, %(topic)s, %(state)s)
"""


class Finding(Struct, frozen=True, kw_only=True):
    """An event that differs from what was sealed; `until_position` if it is one of a range.

    `unproven`: it is as its leaf says, but no checkpoint that counts covers the leaf.
    """

    what: Annotated[What, Meta(description="What was done to it.", examples=["changed"])]
    position: Annotated[int, Meta(description="Its place in the log.", examples=[28])]
    until_position: Annotated[
        int | None, Meta(description="The last place, if it is one of several.", examples=[30])
    ] = None
    post_id: Annotated[
        UUID | None,
        Meta(description="Whose event it is.", examples=["0b9c5e0e-6a53-4c0f-9a7b-1f2d3c4b5a69"]),
    ]
    version: Annotated[
        int | None, Meta(description="Its place among those of the post.", examples=[2])
    ]
    detail: Annotated[
        str,
        Meta(
            description="How it differs, in words.", examples=["its bytes differ from those sealed"]
        ),
    ]


class SealedRow(Struct, frozen=True, kw_only=True):
    """One position of the log: the event stored there, and the leaf sealed there."""

    position: int
    post_id: UUID | None
    version: int | None
    topic: str | None
    state: bytes | None
    leaf_hash: bytes | None
    sealed_post_id: UUID | None
    sealed_version: int | None

    def event(self) -> SealableEvent | None:
        """The event stored there, if any."""
        if self.post_id is None or self.version is None or self.topic is None or self.state is None:
            return None
        return SealableEvent(self.position, self.post_id, self.version, self.topic, self.state)

    def has_sealed_name(self) -> bool:
        """Whether the leaf names the event that is stored there."""
        return (self.sealed_post_id, self.sealed_version) == (self.post_id, self.version)


async def find_change(connection: AsyncConnection[object], row: SealedRow) -> Finding:
    """What was done at a position where event and leaf differ."""
    event = row.event()
    moved_to = await _moved_to(connection, row)
    moved_from = await _moved_from(connection, event) if event else None
    if moved_to is not None:
        detail = f"it is at position {moved_to} now"
        return _finding("reordered", row, detail)
    if moved_from is not None:
        return _finding("reordered", row, f"the event here was at position {moved_from}")
    if event is None:
        return _finding("removed", row, "there is no event at its position")
    if row.leaf_hash is None:
        return _finding("inserted", row, "it was not sealed, but later events were")
    if not row.has_sealed_name():
        detail = f"version {event.version} of post {event.post_id} is in its place"
        return _finding("changed", row, detail)
    return _finding("changed", row, "its bytes differ from those sealed")


async def find_change_between(
    connection: AsyncConnection[object], *, first: int, last: int, surplus: int
) -> Finding:
    """What was done between two checkpoints, where events and leaves agree but the root does not.

    `surplus` is the number of events more than were sealed; negative if events are missing.
    """
    what: What = "inserted" if surplus > 0 else "removed" if surplus < 0 else "changed"
    events = await fetch_all(connection, SealableEvent, _BETWEEN, {"first": first, "last": last})
    only = events[0] if len(events) == 1 and first == last else None
    return Finding(
        what=what,
        position=first,
        until_position=None if first == last else last,
        post_id=only.post_id if only else None,
        version=only.version if only else None,
        detail="the log does not lead to the checkpoint stored here",
    )


def find_missing(*, exported: int, signed: int, last: int, events: int, expected: int) -> Finding:
    """What is missing at the end of a log of `events` that an exported checkpoint says had more.

    The log matches exported checkpoints up to position `exported`, stored ones that are signed up
    to `signed`, and ends at `last`. A position is one event at most.
    """
    matched = max(exported, signed)
    is_cut_off = matched == last
    until = last + expected - events if is_cut_off else max(last, expected)
    return Finding(
        what="removed",
        position=matched + 1,
        until_position=until if until > matched + 1 else None,
        post_id=None,
        version=None,
        detail=f"the log ends at position {last} with {events} events, the exported checkpoint is "
        f"of {expected}. It matches stored checkpoints with a good signature up to position "
        f"{signed}, exported ones up to {exported}. Was the database restored from a backup?",
    )


def _finding(what: What, row: SealedRow, detail: str) -> Finding:
    return Finding(
        what=what,
        position=row.position,
        post_id=row.sealed_post_id or row.post_id,
        version=row.sealed_version or row.version,
        detail=detail,
    )


async def _moved_to(connection: AsyncConnection[object], row: SealedRow) -> int | None:
    """The position of the event that was sealed here."""
    sealed = {"post_id": row.sealed_post_id, "version": row.sealed_version}
    event = await fetch_one(connection, SealableEvent, _OF_VERSION, sealed)
    if event is None or event.position == row.position:
        return None
    is_same = replace(event, position=row.position).leaf_hash() == row.leaf_hash
    return event.position if is_same else None


async def _moved_from(connection: AsyncConnection[object], event: SealableEvent) -> int | None:
    """The position at which the event that is here was sealed."""
    asked = {
        "post_id": event.post_id,
        "version": event.version,
        "topic": event.topic,
        "state": event.state,
    }
    position: int | None = await fetch_value(connection, _SEALED_AT, asked)
    return None if position == event.position else position
