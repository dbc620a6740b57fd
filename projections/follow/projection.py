"""Projections: what one is, and which there are."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import astuple

from domain.events import Event
from domain.post import EventBeforeCreation, fold
from projections.tables import (
    audit_posts,
    audit_runs,
    post_images,
    post_metadata,
    posts,
    upload_sessions,
    usage_posts,
)
from projections.tables.change import Change
from projections.tables.read_table import ReadTable

Row: TypeAlias = tuple[object, ...]


class Projection(Struct, frozen=True, kw_only=True):
    """A set of read tables that follow the log together, in one transaction per batch.

    Each has its own position, failure, leader, verification and rebuild, under its
    `name`. The order of `tables` is one that their references allow. An urgent projection follows
    at every append; the others once a second, and only while no urgent one has a backlog.
    """

    name: str
    tables: tuple[ReadTable, ...]
    is_urgent: bool = False

    def changes(self, events: Sequence[Event]) -> list[Change]:
        """The changes that a batch of events makes to the tables."""
        return [change for table in self.tables for change in table.changes(events)]

    def expected_rows(self, events: Sequence[Event]) -> list[list[Row]]:
        """The rows of one post in each table, derived from the fold of its whole history."""
        try:
            post = fold(events)
        except EventBeforeCreation:
            post = None
        if post is None:
            return [[] for _ in self.tables]
        return [[astuple(row) for row in table.expected(post, events)] for table in self.tables]


POSTS: Final = Projection(
    name="posts",
    tables=(posts.TABLE, post_images.TABLE, post_metadata.TABLE, upload_sessions.TABLE),
    is_urgent=True,
)
USAGE: Final = Projection(name="usage", tables=(usage_posts.TABLE,))
AUDIT: Final = Projection(name="audit", tables=(audit_posts.TABLE, audit_runs.TABLE))

PROJECTIONS: Final = {projection.name: projection for projection in (POSTS, USAGE, AUDIT)}
