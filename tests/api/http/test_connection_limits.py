"""Which connection has to go when there are too many, and how many a process may open."""

import resource

import pytest

from api.http.connections.limits import ConnectionLimits, limits_within
from api.http.connections.open_connections import OpenConnections, network_of
from api.settings import ConnectionSettings


class Client:
    """A connection that notes that it was closed."""

    def __init__(self, network: str) -> None:
        self.network = network
        self.is_open = True

    def give_way(self) -> None:
        self.is_open = False

    def close_if_overdue(self, now: float) -> None:
        self.is_open = now < 1


@pytest.fixture
def connections() -> OpenConnections:
    return OpenConnections(
        ConnectionLimits(at_most=3, per_address=2, head_seconds=1, body_seconds=1, unread_seconds=1)
    )


def connect(connections: OpenConnections, *networks: str) -> list[Client]:
    clients = [Client(network) for network in networks]
    assert all(connections.add(client) for client in clients)
    return clients


def opened(clients: list[Client]) -> list[bool]:
    return [client.is_open for client in clients]


def test_the_one_that_waits_longest_gives_way(connections: OpenConnections) -> None:
    clients = connect(connections, "a", "b", "c")
    connections.set_busy(clients[0])
    connections.set_waiting(clients[0])

    clients += connect(connections, "d")
    assert opened(clients) == [True, False, True, True]


def test_an_address_that_has_its_share_closes_one_of_its_own(connections: OpenConnections) -> None:
    clients = connect(connections, "b", "a", "a", "a")
    assert opened(clients) == [True, False, True, True]


def test_those_with_a_request_are_never_closed_for_another(connections: OpenConnections) -> None:
    clients = connect(connections, "a", "b", "c")
    for client in clients:
        connections.set_busy(client)

    assert not connections.add(Client("d"))
    assert opened(clients) == [True] * 3


def test_one_that_ended_makes_room(connections: OpenConnections) -> None:
    clients = connect(connections, "a", "b", "c")
    for client in clients:
        connections.set_busy(client)
    connections.remove(clients[0])
    connections.remove(clients[0])

    assert connections.add(Client("a"))
    assert opened(clients) == [True] * 3


def test_all_that_are_overdue_are_closed(connections: OpenConnections) -> None:
    clients = connect(connections, "a", "b")
    connections.close_overdue(0.5)
    assert opened(clients) == [True, True]
    connections.close_overdue(1.5)
    assert opened(clients) == [False, False]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_a_network_of_one_host_is_one_address(one: str, other: str, *, is_same: bool) -> None:
    assert (network_of(one) == network_of(other)) == is_same


@pytest.fixture
def open_files(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """The limit of open files, soft and hard, of a process that may change it."""
    limit = {"now": (1024, 1024)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limit["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limit.update(now=new))
    return limit


@pytest.mark.parametrize(
    ("before", "after", "at_most"),
    [
        ((1024, 1024), (1024, 1024), 896),
        ((1024, 1 << 20), (1128, 1 << 20), 1000),
        ((1024, resource.RLIM_INFINITY), (1128, resource.RLIM_INFINITY), 1000),
        ((4096, 4096), (4096, 4096), 1000),
        ((resource.RLIM_INFINITY,) * 2, (resource.RLIM_INFINITY,) * 2, 1000),
        ((256, 1000), (1000, 1000), 872),
    ],
)
def test_connections_stay_below_the_limit_of_open_files(
    open_files: dict[str, tuple[int, int]],
    before: tuple[int, int],
    after: tuple[int, int],
    at_most: int,
) -> None:
    open_files["now"] = before
    assert limits_within(ConnectionSettings()).at_most == at_most
    assert open_files["now"] == after


def test_an_address_has_no_larger_share_than_there_are() -> None:
    limits = limits_within(ConnectionSettings(at_most=10, per_address=50))
    assert (limits.at_most, limits.per_address) == (10, 10)
