"""Behind a proxy: it alone may say whose request it passes on."""

from collections.abc import Iterator

import pytest

from tests.api.http.attacked_server import (
    AttackedServer,
    attacked_server,
    read_one,
    request,
    status_of,
)

PROXY = "127.0.0.7"
STRANGER = "127.0.0.8"
# So few that none comes back within a test.
LIMIT = 2
PATH = "/api/v1/capabilities"


@pytest.fixture(scope="module")
def server(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AttackedServer]:
    folder = tmp_path_factory.mktemp("behind-a-proxy")
    variables = {
        "FORWARDED_ALLOW_IPS": f"{PROXY}, 10.0.0.0/8",
        "LIMIT_ANONYMOUS_PER_MINUTE": str(LIMIT),
    }
    with attacked_server(folder, postgres_server, **variables) as server:
        yield server


def statuses(server: AttackedServer, *forwarded: str, source: str) -> list[int]:
    """The answers to one request for each of these values of `X-Forwarded-For`."""
    found = []
    for addresses in forwarded:
        with server.connect(source=source) as client:
            client.sendall(request(PATH, f"X-Forwarded-For: {addresses}"))
            found.append(status_of(read_one(client)))
    return found


def test_each_client_of_a_trusted_proxy_has_a_bucket(server: AttackedServer) -> None:
    one, other = "198.51.100.1", "198.51.100.2"
    assert statuses(server, *[one] * (LIMIT + 1), source=PROXY) == [200] * LIMIT + [429]
    assert statuses(server, other, source=PROXY) == [200]


def test_a_client_cannot_hide_behind_what_it_sends_to_a_trusted_proxy(
    server: AttackedServer,
) -> None:
    # A proxy appends the address that it sees; further trusted ones append that of the proxy.
    sent = [f"203.0.113.{number}, 198.51.100.3, 10.1.2.3" for number in range(LIMIT + 1)]
    assert statuses(server, *sent, source=PROXY) == [200] * LIMIT + [429]


def test_nobody_else_is_believed(server: AttackedServer) -> None:
    sent = [f"203.0.113.{number}" for number in range(LIMIT + 1)]
    assert statuses(server, *sent, source=STRANGER) == [200] * LIMIT + [429]


def test_nobody_uses_up_the_bucket_of_another_address(server: AttackedServer) -> None:
    victim = "198.51.100.4"
    statuses(server, *[victim] * (LIMIT + 1), source="127.0.0.9")
    assert statuses(server, victim, source=PROXY) == [200]
