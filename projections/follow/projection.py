"""A projection: a name and the read tables that follow the log together."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from domain.events import Event
from projections.tables import post_images, post_metadata, posts, upload_sessions
from projections.tables.change import Change


class Projection(Struct, frozen=True, kw_only=True):
    """A set of read tables that follow the log together, in one transaction per batch."""

    name: str
    tables: tuple[Callable[[Sequence[Event]], list[Change]], ...]

    def changes(self, events: Sequence[Event]) -> list[Change]:
        """What `events` do to all the tables, in an order that their references allow."""
        return [change for table in self.tables for change in table(events)]


POSTS: Final = Projection(
    name="posts",
    tables=(posts.changes, post_images.changes, post_metadata.changes, upload_sessions.changes),
)
PROJECTIONS: Final = {POSTS.name: POSTS}
