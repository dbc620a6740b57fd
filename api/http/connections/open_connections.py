"""Open connections: who may connect, and who has to go when there are too many.

An address that has its share, and a process that has its number, close the connection that has
waited longest without a complete request. So connections that send nothing keep nobody out.
"""

from collections import defaultdict
from ipaddress import IPv6Address
from typing import Protocol

from prometheus_client import Counter, Gauge

from api.http.connections.limits import ConnectionLimits

OPEN = Gauge("nova_http_connections", "Open connections of clients.")
CLOSED = Counter(
    "nova_http_connections_closed",
    "Connections that the server closed before their time, by reason.",
    ["reason"],
)


class Connection(Protocol):
    """A connection of a client; `network` is the address that shares it, by `network_of`."""

    network: str

    def give_way(self) -> None:
        """Close, for another connection."""

    def close_if_overdue(self, now: float) -> None:
        """Close if a deadline is over; `now` in seconds of the event loop."""


class _Network:
    """Connections of one address: their number, and the waiting ones, the longest first."""

    def __init__(self) -> None:
        self.open = 0
        self.waiting: dict[Connection, None] = {}


class OpenConnections:
    """All connections of the process; used on its event loop only."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._all: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}
        self._networks: dict[str, _Network] = defaultdict(_Network)

    def add(self, connection: Connection) -> bool:
        """Add one that waits for a request; whether there is room for it."""
        self._all.add(connection)
        OPEN.inc()
        network = self._networks[connection.network]
        network.open += 1
        has_room = (
            network.open <= self.limits.per_address or self._close_first(network.waiting)
        ) and (len(self._all) <= self.limits.at_most or self._close_first(self._waiting))
        self.set_waiting(connection)
        return has_room

    def remove(self, connection: Connection) -> None:
        """Remove one, if it is not removed already."""
        if connection not in self._all:
            return
        self._all.remove(connection)
        OPEN.dec()
        self.set_busy(connection)
        network = self._networks[connection.network]
        network.open -= 1
        if not network.open:
            del self._networks[connection.network]

    def set_waiting(self, connection: Connection) -> None:
        """Note that it waits for a request from now on."""
        self._waiting[connection] = None
        self._networks[connection.network].waiting[connection] = None

    def set_busy(self, connection: Connection) -> None:
        """Note that it has a complete request."""
        self._waiting.pop(connection, None)
        self._networks[connection.network].waiting.pop(connection, None)

    def close_overdue(self, now: float) -> None:
        """Close those whose deadline is over."""
        for connection in tuple(self._all):
            connection.close_if_overdue(now)

    def _close_first(self, waiting: dict[Connection, None]) -> bool:
        connection = next(iter(waiting), None)
        if connection is None:
            return False
        CLOSED.labels("gave-way").inc()
        self.remove(connection)
        connection.give_way()
        return True


def network_of(address: str) -> str:
    """Whose share a connection counts to: an IPv4 address, or a /64 of IPv6, which is one host."""
    if ":" not in address:
        return address
    ip = IPv6Address(address)
    return str(ip.ipv4_mapped or int(ip) >> 64)
