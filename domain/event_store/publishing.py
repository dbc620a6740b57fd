"""Publishing: the one writer. It loads a post, decides, and appends what was decided."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, PersistenceError
from eventsourcing.utils import Environment, EnvType
from msgspec import Struct

from domain.commands import Command, CreatePost
from domain.decisions import decide
from domain.errors import EventStoreUnavailable, PostNotFound, VersionConflict
from domain.event_store.mapper import EventMapper
from domain.event_store.recorder import Factory, Recorder, VersionTaken
from domain.events import Event
from domain.jobs import Job, Lane, jobs_after
from domain.post import Post, evolve, fold

CONFLICT_ATTEMPTS: Final = 10


class Outcome(Struct, frozen=True, kw_only=True):
    """What a command did: the post as it is now, the new events, and the last one's position.

    `events` is empty and `position` None when there was nothing left to do.
    """

    post: Post
    events: tuple[Event, ...]
    position: int | None


class Publishing(Application[UUID]):
    """Appends events of posts; blocking, and safe to call from several threads.

    Args:
        url: the PostgreSQL database, as a libpq URL.
        pool_size: how many connections it may open.
    """

    name = "post"

    def __init__(self, url: str, *, pool_size: int = 4) -> None:
        self._url = url
        self._pool_size = pool_size
        super().__init__()

    def execute(
        self,
        command: Command,
        *,
        known: Post | None = None,
        queue_capacity: int | None = None,
        lane: Lane = "live",
    ) -> Outcome:
        """Carry out a command; when another writer was faster, decide again on what is now true.

        Args:
            command: what is asked; the same command may be executed any number of times.
            known: the post as the caller has just read it, which spares reading it again.
            queue_capacity: refuse when this many jobs wait and the command would add one.
            lane: where the work goes that the command leads to.

        Raises:
            DomainError: the command cannot be carried out; nothing was stored.
            EventStoreUnavailable: there was no answer; saying it again is safe.
        """
        # A new post has no history to read; should its id be taken, the append will say so.
        is_read = known is not None or isinstance(command, CreatePost)
        post = known
        for _ in range(CONFLICT_ATTEMPTS):
            post = post if is_read else fold(self.history(command.post_id))
            events = decide(post, command)
            after = _after(post, events)
            jobs = [job for event in events for job in jobs_after(event, after, lane=lane)]
            try:
                with _answering():
                    position = self._append(events, jobs, queue_capacity=queue_capacity)
            except VersionTaken:
                is_read = False
                continue
            return Outcome(post=after, events=tuple(events), position=position)
        raise VersionConflict(command.post_id, attempts=CONFLICT_ATTEMPTS)

    def post(self, post_id: UUID) -> Post:
        """The post as its events tell it, also when it is deleted.

        Raises:
            PostNotFound: there is no such post.
        """
        post = fold(self.history(post_id))
        if post is None:
            raise PostNotFound(post_id)
        return post

    def history(self, post_id: UUID) -> list[Event]:
        """The events of one post in the order of their versions."""
        with _answering():
            return cast("list[Event]", list(self.events.get(post_id)))

    def connection_stats(self) -> dict[str, int]:
        """What the pool of connections tells of itself, as psycopg's pools do."""
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
        return Factory(env, url=self._url, pool_size=self._pool_size)

    def construct_mapper(self) -> Mapper[UUID]:
        """Our events as JSON."""
        return EventMapper()


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except PersistenceError as error:
        raise EventStoreUnavailable(str(error)) from error


def _after(post: Post | None, events: Sequence[Event]) -> Post:
    for event in events:
        post = evolve(post, event)
    assert post is not None  # noqa: S101 - decide refuses every command on nothing but CreatePost
    return post
