"""Where others reach a stack: what the settings say, or else what the machine knows."""

import ipaddress
import socket
from collections.abc import Mapping
from types import SimpleNamespace

import psutil
import pytest

from api.stack import addresses
from api.stack.addresses import check_addresses, find_lan_address, public_url, reachable_host
from domain.settings import WrongSettings

LAN = "192.168.1.20"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a setting, bound by no test


@pytest.fixture
def in_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with this address."""
    monkeypatch.setattr(addresses, "find_lan_address", lambda: LAN)


@pytest.mark.usefixtures("in_a_network")
@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, None),
        ({"APP_HOST": "127.0.0.1"}, None),
        ({"APP_HOST": "localhost"}, None),
        ({"APP_HOST": EVERYWHERE}, f"http://{LAN}:8000"),
        ({"APP_HOST": "127.0.0.2"}, "http://127.0.0.2:8000"),
        ({"APP_HOST": "192.168.7.7"}, "http://192.168.7.7:8000"),
        ({"APP_HOST": EVERYWHERE, "PUBLIC_URL": "http://mac.local:8000/"}, "http://mac.local:8000"),
        ({"PUBLIC_URL": "https://tunnel.example"}, "https://tunnel.example"),
    ],
)
def test_the_public_url_is_the_one_given_or_where_the_api_listens(
    environ: Mapping[str, str], url: str | None
) -> None:
    assert public_url(environ, port=8000) == url


def test_a_machine_without_a_network_is_reached_by_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "find_lan_address", lambda: None)
    assert public_url({"APP_HOST": EVERYWHERE}, port=8000) is None


def test_a_server_on_all_interfaces_is_reached_through_loopback() -> None:
    assert reachable_host(EVERYWHERE) == "127.0.0.1"
    assert reachable_host("192.168.7.7") == "192.168.7.7"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PUBLIC_URL", "192.168.1.20:8000"), ("PUBLIC_URL", "http://"), ("APP_HOST", "::")],
)
def test_a_wrong_address_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(WrongSettings, match=f"{name} is wrong"):
        check_addresses({name: value})


def test_the_address_found_is_of_this_machine_and_not_loopback() -> None:
    found = find_lan_address()
    own = [each.address for all_of_one in psutil.net_if_addrs().values() for each in all_of_one]
    assert found is None or (found in own and not ipaddress.ip_address(found).is_loopback)


def test_without_a_default_route_an_interface_that_is_up_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class NoRoute(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(address)

    interfaces = {
        "lo": [_address("127.0.0.1")],
        "down": [_address("10.0.0.1")],
        "hotspot": [_address("fe80::1", family=socket.AF_INET6), _address(LAN)],
    }
    states = {name: SimpleNamespace(isup=name != "down") for name in interfaces}
    monkeypatch.setattr(socket, "socket", NoRoute)
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: interfaces)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: states)
    assert find_lan_address() == LAN
    del interfaces["hotspot"]
    assert find_lan_address() is None


def _address(address: str, *, family: socket.AddressFamily = socket.AF_INET) -> SimpleNamespace:
    return SimpleNamespace(family=family, address=address)
