"""The watch: CPU and memory of every process of a stack, and the depth of its queue, over time."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

import psutil
import psycopg
from msgspec import Struct

from api.stack.local import LocalStack

EVERY_SECONDS: Final = 0.5
MB: Final = 1_000_000

_QUESTION: Final = """
SELECT count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'doing'),
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
       (SELECT jsonb_object_agg(relname, n_dead_tup) FROM pg_stat_user_tables)
FROM procrastinate_jobs WHERE task_name = 'post.transcode' AND status IN ('todo', 'doing')
"""


class Look(Struct, frozen=True):
    """What was seen at one moment: CPU in cores and memory in MB, by process with its children.

    `dead_rows` are those of each table that are not vacuumed.
    """

    seconds: float
    waiting: int
    running: int
    connections: int
    dead_rows: dict[str, int]
    cores: dict[str, float]
    megabytes: dict[str, float]


class Watch:
    """Looks twice a second from a thread of its own, until it is stopped."""

    def __init__(self, stack: LocalStack) -> None:
        self.looks: list[Look] = []
        self._stack = stack
        self._is_over = Event()
        self._spent: dict[int, float] = {}
        self._thread = Thread(target=self._run)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        self._thread.join()

    def mean_cores(self) -> dict[str, float]:
        """How many cores each process used on average, the first look apart."""
        looks = self.looks[1:]
        return {
            name: sum(look.cores.get(name, 0.0) for look in looks) / max(len(looks), 1)
            for name in (looks[-1].cores if looks else ())
        }

    def most_megabytes(self) -> dict[str, float]:
        """The most memory that each process had."""
        most: dict[str, float] = defaultdict(float)
        for look in self.looks:
            for name, megabytes in look.megabytes.items():
                most[name] = max(most[name], megabytes)
        return dict(most)

    def _run(self) -> None:
        started = last = time.monotonic()
        url = self._stack.environ["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            while not self._is_over.wait(EVERY_SECONDS):
                now = time.monotonic()
                cores, megabytes = self._processes(now - last)
                [(waiting, running, open_now, dead)] = connection.execute(_QUESTION).fetchall()
                look = Look(now - started, waiting, running, open_now, dead, cores, megabytes)
                self.looks.append(look)
                last = now

    def _processes(self, since_seconds: float) -> tuple[dict[str, float], dict[str, float]]:
        cores: dict[str, float] = defaultdict(float)
        megabytes: dict[str, float] = defaultdict(float)
        for name, pid in self._stack.pids.items():
            for process in _family(pid):
                try:
                    times, memory = process.cpu_times(), process.memory_info()
                except psutil.NoSuchProcess:
                    continue
                spent = times.user + times.system
                cores[name] += (spent - self._spent.get(process.pid, spent)) / since_seconds
                self._spent[process.pid] = spent
                megabytes[name] += (memory.rss - memory.shared) / MB
        return dict(cores), dict(megabytes)


@contextmanager
def watching(stack: LocalStack) -> Iterator[Watch]:
    """Watch a stack for as long as the block runs."""
    watch = Watch(stack)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
