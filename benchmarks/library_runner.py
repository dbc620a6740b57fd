"""The event-sourcing library's own `ProjectionRunner`, keeping our read tables on our log.

The same statements as ours, event by event, in the library's transaction with its own tracking.
"""

import time
from typing import Any, Final, cast

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import EnvType
from psycopg.conninfo import conninfo_to_dict

from domain.event_store.publishing import Publishing
from domain.events import Event
from projections.follow.projection import POSTS
from projections.tables.change import Change, to_json

URL: Final = "DATABASE_URL"


class LibraryPublishing(Publishing):
    """Our application, made as the library makes one."""

    def __init__(self, env: EnvType | None = None) -> None:
        super().__init__((env or {})[URL])


class LibraryTables(PostgresTrackingRecorder):
    """Our read tables as the library's materialised view."""

    def change(self, changes: list[Change], tracking: Tracking) -> None:
        """Make the changes of one event and note its position, in one transaction."""
        with self.datastore.transaction(commit=True) as cursor:
            for change in changes:
                if change.rows:
                    rows = {"rows": to_json(change.rows)}
                    cursor.execute(change.statement, rows, prepare=True)
            self._insert_tracking(cursor, tracking)


class LibraryProjection(Projection[LibraryTables]):
    """Our projection as the library's."""

    name = "library"

    def process_event(  # pyright: ignore[reportIncompatibleVariableOverride] - as the library shows
        self,
        domain_event: Any,  # noqa: ANN401 - as the library has it
        tracking: Tracking,
    ) -> None:
        """Project one event."""
        self.view.change(POSTS.changes([cast("Event", domain_event)]), tracking)


def library_events_per_second(url: str, events: int) -> float:
    """How fast the library's runner follows the first so many events of the log."""
    options = conninfo_to_dict(url)
    env = {
        URL: url,
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(options["dbname"]),
        "POSTGRES_HOST": str(options["host"]),
        "POSTGRES_PORT": str(options["port"]),
        "POSTGRES_USER": str(options["user"]),
        "POSTGRES_PASSWORD": str(options.get("password", "")),
        "POSTGRES_SINGLE_ROW_TRACKING": "y",
    }
    started = time.perf_counter()
    with ProjectionRunner[LibraryPublishing, LibraryTables](
        application_class=LibraryPublishing,
        projection_class=LibraryProjection,
        view_class=LibraryTables,
        env=env,
    ) as runner:
        runner.wait(events, timeout=600)
        return events / (time.perf_counter() - started)
