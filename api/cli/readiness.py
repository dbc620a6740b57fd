"""Readiness of the processes that serve no API: whether they can do their work now."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

import anyio
import psycopg

from projections.connection import connected
from projections.log.writing import is_writable

CHECK_WITHIN_SECONDS: Final = 3.0
# However often it is asked, it costs one connection per second.
FRESH_SECONDS: Final = 1.0


class Readiness:
    """Why a process is not ready; safe to call from several threads, which share one check.

    Args:
        url: the database that has to take writes.
        what_is_missing: what else keeps the process from its work, in a few words.
    """

    def __init__(
        self, url: str, *, what_is_missing: Callable[[], str | None] | None = None
    ) -> None:
        self._url = url
        self._what_is_missing = what_is_missing
        self._checking = Lock()
        self._database: str | None = None
        self._fresh_until = 0.0

    def __call__(self) -> str | None:
        """The reason in a few words, or None; the database's part is a second old at most."""
        missing = self._what_is_missing() if self._what_is_missing else None
        return missing or self._without_database()

    def _without_database(self) -> str | None:
        with self._checking:
            if time.monotonic() >= self._fresh_until:
                self._database = anyio.run(_check, self._url)
                self._fresh_until = time.monotonic() + FRESH_SECONDS
            return self._database


async def _check(url: str) -> str | None:
    with anyio.move_on_after(CHECK_WITHIN_SECONDS):
        try:
            async with connected(url) as connection:
                is_ready = await is_writable(connection)
        except psycopg.Error:
            return "the database does not take writes"
        return None if is_ready else "the database is read-only"
    return "the database does not answer"
