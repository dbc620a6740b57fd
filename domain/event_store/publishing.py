"""Publishing: the one writer. It loads a post, decides, and appends the events."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final, Self, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, PersistenceError
from eventsourcing.utils import Environment, EnvType
from msgspec import Struct
from psycopg_pool import PoolTimeout

from domain.commands import Command, CreatePost
from domain.decisions import decide
from domain.errors import EventStoreUnavailable, PostChanged, PostNotFound, VersionConflict
from domain.event_store.clock import DatabaseClock
from domain.event_store.mapper import EventMapper
from domain.event_store.recorder import (
    CONNECTION_TIMEOUT_SECONDS,
    Factory,
    Recorder,
    VersionTaken,
)
from domain.events import Event
from domain.jobs import Job, Lane, jobs_after
from domain.post import Post, evolve, fold

CONFLICT_ATTEMPTS: Final = 10


class Outcome(Struct, frozen=True, kw_only=True):
    """What a command did: the post after it, the new events, and the position of the last one.

    `events` is empty and `position` None if nothing was left to do.
    """

    post: Post
    events: tuple[Event, ...]
    position: int | None


class Publishing(Application[UUID]):
    """Appends events of posts; blocking, and safe to call from several threads.

    Args:
        url: the libpq URL of the database.
        pool_size: the maximum number of connections.
        is_pooled: the URL leads through a pooler in transaction mode, whose limits then apply.
    """

    name = "post"

    def __init__(self, url: str, *, pool_size: int = 4, is_pooled: bool = False) -> None:
        self._url = url
        self._pool_size = pool_size
        self._clock = DatabaseClock()
        self._is_pooled = is_pooled
        super().__init__()

    def __enter__(self) -> Self:
        """Open the connection pool, and wait briefly for its first connection and the clock.

        A database that is down keeps no process from starting.
        """
        entered = super().__enter__()
        pool = cast("Recorder", self.recorder).datastore.pool
        with suppress(PoolTimeout), pool.connection(CONNECTION_TIMEOUT_SECONDS):
            pass
        return entered

    def execute(
        self,
        command: Command,
        *,
        known: Post | None = None,
        expected_version: int | None = None,
        queue_capacity: int | None = None,
        lane: Lane = "live",
    ) -> Outcome:
        """Carry out a command; after a version conflict, load the post again and decide again.

        Args:
            command: idempotent, so it may be executed any number of times.
            known: the post as the caller has just read it, to save a read.
            expected_version: refuse the command if the post is at another one.
            queue_capacity: refuse a command that adds a job while this many are waiting.
            lane: the lane of the jobs that the command leads to.

        Raises:
            DomainError: the command is refused; nothing was stored.
            EventStoreUnavailable: no answer; a retry is safe.
        """
        # A new post has no history; if its id is taken, the append conflicts.
        is_read = known is not None or isinstance(command, CreatePost)
        post = known
        for _ in range(CONFLICT_ATTEMPTS):
            post = post if is_read else fold(self.history(command.post_id))
            events = decide(post, command)
            _require_version(post, expected_version)
            after = _after(post, events)
            jobs = [job for event in events for job in jobs_after(event, after, lane=lane)]
            try:
                with _translated_errors():
                    position = self._append(events, jobs, queue_capacity=queue_capacity)
            except VersionTaken:
                is_read = False
                continue
            return Outcome(post=after, events=tuple(events), position=position)
        raise VersionConflict(command.post_id, attempts=CONFLICT_ATTEMPTS)

    def post(self, post_id: UUID) -> Post:
        """The post after all its events, even if it is deleted.

        Raises:
            PostNotFound: no such post.
        """
        post = fold(self.history(post_id))
        if post is None:
            raise PostNotFound(post_id)
        return post

    def history(self, post_id: UUID) -> list[Event]:
        """The events of one post, by version."""
        with _translated_errors():
            return cast("list[Event]", list(self.events.get(post_id)))

    def now(self) -> datetime:
        """The time of the next command: by the database's clock, which all machines share."""
        return self._clock.now()

    def connection_stats(self) -> dict[str, int]:
        """The statistics of the connection pool, under psycopg's names."""
        return cast("Recorder", self.recorder).datastore.pool.get_stats()

    def _append(
        self, events: Sequence[Event], jobs: Sequence[Job], *, queue_capacity: int | None
    ) -> int | None:
        recordings = self.events.put(
            # Our Structs stand in for the library's event classes: only the mapper sees them.
            cast("Sequence[DomainEventProtocol[UUID]]", events),
            jobs=jobs,
            queue_capacity=queue_capacity if jobs else None,
        )
        return recordings[-1].notification.id if recordings else None

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Keep the process environment out: settings arrive as arguments."""
        return Environment(name, env or {})

    def construct_factory(self, env: Environment) -> Any:  # noqa: ANN401 - the library's generic type
        """Our datastore and recorder."""
        return Factory(
            env,
            url=self._url,
            pool_size=self._pool_size,
            clock=self._clock,
            is_pooled=self._is_pooled,
        )

    def construct_mapper(self) -> Mapper[UUID]:
        """Our events as JSON."""
        return EventMapper()


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except PersistenceError as error:
        raise EventStoreUnavailable(str(error)) from error


def _require_version(post: Post | None, expected: int | None) -> None:
    if post is not None and expected is not None and post.version != expected:
        raise PostChanged(post.id, version=post.version)


def _after(post: Post | None, events: Sequence[Event]) -> Post:
    for event in events:
        post = evolve(post, event)
    assert post is not None  # noqa: S101 - decide refuses every command on nothing but CreatePost
    return post
