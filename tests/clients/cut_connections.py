"""Cut connections: a server behind a proxy that hangs up on chosen requests."""

from collections import Counter
from collections.abc import Mapping

from aiohttp import web

from tests.faults.faulty_store import FaultyStore, Mode

# Which request of a kind is cut, counted from 1, and how.
Cuts = Mapping[tuple[str, int], Mode]


class CuttingProxy(FaultyStore):
    """Cuts what `cuts` names; the kinds are PUT, and the last word of the path of a POST."""

    def __init__(self, upstream: str, cuts: Cuts) -> None:
        super().__init__(upstream)
        self.cuts = dict(cuts)
        self.seen: Counter[str] = Counter()

    def mode_of(self, request: web.Request) -> Mode:
        """Cut it or pass it on."""
        is_post = request.method == "POST"
        kind = request.path.rpartition("/")[2] if is_post else request.method
        self.seen[kind] += 1
        return self.cuts.pop((kind, self.seen[kind]), "healthy")
