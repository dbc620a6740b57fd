"""The stopwatch: time each step, and check the deadline before it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from transcoder.errors import RenderTimedOut


class Stopwatch:
    """Starts on construction and times the steps of one picture in sequence."""

    def __init__(self, *, deadline_seconds: float) -> None:
        self.milliseconds: dict[str, float] = {}
        self._deadline_seconds = deadline_seconds
        self._ends_at = time.monotonic() + deadline_seconds

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step; the times of steps with the same name add up.

        Raises:
            RenderTimedOut: the deadline has passed.
        """
        started = time.monotonic()
        if started > self._ends_at:
            raise RenderTimedOut(seconds=self._deadline_seconds)
        yield
        spent = 1000 * (time.monotonic() - started)
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + spent
