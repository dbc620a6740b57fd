"""Backlogs: while an urgent projection has one, the others of the same process wait.

All runners of a process share one processor: so an urgent projection catches up no slower than it
would alone.
"""

import anyio

from projections.follow.projection import Projection


class Backlogs:
    """Which urgent projections of this process have a backlog."""

    def __init__(self) -> None:
        self._behind: set[str] = set()
        self._cleared = anyio.Event()

    def note(self, projection: Projection, *, is_behind: bool) -> None:
        """Note whether a projection has a backlog; one that is stopped or on standby has none."""
        if is_behind and projection.is_urgent:
            self._behind.add(projection.name)
        elif projection.name in self._behind:
            self._behind.remove(projection.name)
            self._cleared.set()
            self._cleared = anyio.Event()

    async def wait_for_urgent(self, projection: Projection) -> None:
        """Wait until no urgent projection has a backlog; an urgent one never waits."""
        while self._behind and not projection.is_urgent:
            await self._cleared.wait()
