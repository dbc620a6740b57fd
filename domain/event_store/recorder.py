"""The recorder: the library's PostgreSQL recorder with an append of one statement.

The statement calls the SQL procedure `append_durably`. It takes the table lock (positions appear in
commit order, so no follower skips an event), checks the queue's capacity, inserts the events,
queues their jobs and notifies, and waits for the disk after it has released the lock. All of it
runs inside the server: a client that stalls or dies never holds the lock.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import psycopg
import stamina
from eventsourcing.persistence import (
    InterfaceError,
    InternalError,
    OperationalError,
    StoredEvent,
)
from eventsourcing.postgres import (
    BasePostgresFactory,
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresFactory,
)
from eventsourcing.utils import Environment
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import Diagnostic
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from domain.errors import QueueFull, SequenceBehind, UserQueueFull
from domain.event_store.clock import DatabaseClock
from domain.jobs import Job

EVENTS_TABLE: Final = "post_events"
# The library tries ten times, so a caller waits for a connection for 20 s at most.
CONNECTION_TIMEOUT_SECONDS: Final = 2.0
QUEUE_FULL_SQLSTATE: Final = "NV001"
USER_QUEUE_FULL_SQLSTATE: Final = "NV002"
SEQUENCE_BEHIND_SQLSTATE: Final = "NV003"

_APPEND = """
CALL append_durably(
    %(post_id)s, %(versions)s, %(topics)s, %(states)s, %(jobs)s, %(queue_capacity)s
)
"""
_READ_BACK = """
SELECT notification_id AS position, state FROM post_events
WHERE originator_id = %(post_id)s AND originator_version = ANY (%(versions)s)
ORDER BY originator_version
"""
# What an earlier attempt stored may not have reached the disk; what is written now comes after it.
_WAIT_UNTIL_DURABLE = "SELECT pg_logical_emit_message(true, 'nova', '')"
# Each transaction is one short statement, which takes milliseconds unless it is stuck.
_LIMIT_TRANSACTIONS = """
SELECT set_config(name, '3s', false) FROM pg_settings
WHERE name IN ('transaction_timeout', 'statement_timeout', 'lock_timeout')
"""


class NotReplicated(psycopg.OperationalError):
    """The server gave up waiting for a standby, as when an operator cancels: not acknowledged."""


class VersionTaken(Exception):
    """Another append took the version first: reload the post and decide again."""


class Datastore(PostgresDatastore):
    """The library's connection pool, with every option of `url` and limits on transactions."""

    def __init__(self, url: str, *, pool_size: int, clock: DatabaseClock, is_pooled: bool) -> None:
        self._is_pooled = is_pooled
        options = conninfo_to_dict(url)
        super().__init__(
            dbname=str(options.get("dbname", "")),
            host=str(options.get("host", "")),
            port=str(options.get("port", "")),
            user=str(options.get("user", "")),
            password=str(options.get("password", "")),
            connect_timeout=CONNECTION_TIMEOUT_SECONDS,
            pool_size=1,
            max_overflow=pool_size - 1,
        )
        # The library passes on these five options only and would drop sslmode and others.
        self.pool.kwargs = {**options, "row_factory": dict_row}
        self._clock = clock

    def register_type_adapters(self) -> None:
        """Register nothing, which saves a connection at start: the append takes plain arrays."""

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """Put each new connection into autocommit, limit its transactions, and read the clock."""

        def after_connect(connection: Connection[Any]) -> None:
            connection.autocommit = True
            if self._is_pooled:
                # Another client's statement would meet what is set or prepared here.
                connection.prepare_threshold = None
            else:
                connection.execute(_LIMIT_TRANSACTIONS)
            self._clock.read(connection)

        return after_connect


class Recorder(PostgresApplicationRecorder):
    """Appends the events of one post and queues the jobs they lead to, in one statement."""

    @stamina.retry(
        on=(InterfaceError, OperationalError, InternalError),
        attempts=10,
        timeout=20.0,
        wait_initial=0.1,
        wait_max=2.0,
    )
    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        jobs: Sequence[Job] = (),
        queue_capacity: int | None = None,
        **_: object,
    ) -> Sequence[int]:
        """Append events of one post and return their positions.

        Idempotent: a retry that finds its own rows stored, because the reply to the first attempt
        was lost, returns their positions and queues nothing.

        Raises:
            QueueFull: `queue_capacity` jobs are waiting; nothing was stored.
            UserQueueFull: a tenth of `queue_capacity` are jobs of the same user, and five or more.
            SequenceBehind: the next position is not above the log; nothing was stored.
            VersionTaken: another append took one of the versions; nothing was stored.
        """
        if not stored_events:
            return []
        parameters = {
            "post_id": stored_events[0].originator_id,
            "versions": [event.originator_version for event in stored_events],
            "topics": [event.topic for event in stored_events],
            "states": [event.state for event in stored_events],
            "jobs": Jsonb([msgspec.to_builtins(job) for job in jobs]),
            "queue_capacity": queue_capacity,
        }
        with self.datastore.get_connection() as connection, _replicated(connection):
            try:
                called = connection.execute(_APPEND, parameters, prepare=True).fetchone()
                return called["positions"] if called else []
            except psycopg.errors.UniqueViolation as conflict:
                stored = connection.execute(_READ_BACK, parameters).fetchall()
                if [bytes(row["state"]) for row in stored] == parameters["states"]:
                    connection.execute(_WAIT_UNTIL_DURABLE)
                    return [row["position"] for row in stored]
                raise VersionTaken from conflict
            except psycopg.DatabaseError as error:
                if error.sqlstate == QUEUE_FULL_SQLSTATE:
                    raise QueueFull(capacity=queue_capacity or 0) from error
                if error.sqlstate == USER_QUEUE_FULL_SQLSTATE:
                    raise UserQueueFull(capacity=int(error.diag.message_detail or 0)) from error
                if error.sqlstate == SEQUENCE_BEHIND_SQLSTATE:
                    raise SequenceBehind(error.diag.message_primary) from error
                raise


@contextmanager
def _replicated(connection: Connection[Any]) -> Iterator[None]:
    """Refuse to acknowledge a commit that the server warns of: a standby may not have it.

    Raises:
        NotReplicated: it is stored, and a retry waits again.
    """
    warnings: list[str] = []

    def note(notice: Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(notice.message_primary or "")

    connection.add_notice_handler(note)
    try:
        yield
    finally:
        connection.remove_notice_handler(note)
    if warnings:
        raise NotReplicated(warnings[0])


class Factory(PostgresFactory):
    """Gives the library our datastore and recorder; it creates no tables, migrations do."""

    def __init__(
        self, env: Environment, *, url: str, pool_size: int, clock: DatabaseClock, is_pooled: bool
    ) -> None:
        # Skip the class that would build a datastore from environment variables.
        super(BasePostgresFactory, self).__init__(env)
        self.datastore = Datastore(url, pool_size=pool_size, clock=clock, is_pooled=is_pooled)

    def application_recorder(self) -> Recorder:
        """The recorder of the application."""
        return Recorder(self.datastore, events_table_name=EVENTS_TABLE)
