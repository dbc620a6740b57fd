"""Addresses of a stack: where this machine reaches it, and where phones in the network do."""

import socket
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import psutil

from domain.settings import WrongSettings

LOOPBACK: Final = "127.0.0.1"
_ONLY_HERE: Final = frozenset({LOOPBACK, "localhost"})
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - compared, not bound
# Reserved for documentation (RFC 5737): a route to it leads out of this machine.
_ELSEWHERE: Final = ("192.0.2.1", 9)


def check_addresses(environ: Mapping[str, str]) -> None:
    """Check the addresses that a stack is given.

    Raises:
        WrongSettings: APP_HOST is an IPv6 address, or PUBLIC_URL is no URL.
    """
    problems = []
    if ":" in environ.get("APP_HOST", ""):
        problems.append("APP_HOST is wrong: a local stack needs an IPv4 address or a name")
    if "PUBLIC_URL" in environ and not host_of(environ["PUBLIC_URL"]):
        problems.append("PUBLIC_URL is wrong: use a URL like http://192.168.1.20:8000")
    if problems:
        raise WrongSettings(problems)


def host_of(url: str) -> str:
    """The host that an http or https URL names; empty if none."""
    parts = urlsplit(url)
    return (parts.hostname or "") if parts.scheme in {"http", "https"} else ""


def is_open(environ: Mapping[str, str]) -> bool:
    """Whether APP_HOST lets others than this machine's 127.0.0.1 in."""
    return environ.get("APP_HOST", LOOPBACK) not in _ONLY_HERE


def reachable_host(listening_host: str) -> str:
    """The host at which this machine itself connects to a server that listens there."""
    return LOOPBACK if listening_host == _EVERYWHERE else listening_host


def public_url(environ: Mapping[str, str], *, port: int) -> str | None:
    """PUBLIC_URL, or else the address that others reach; None if only this machine can."""
    given = environ.get("PUBLIC_URL")
    if given is not None:
        return given.rstrip("/")
    if not is_open(environ):
        return None
    host = environ["APP_HOST"]
    reached = find_lan_address() if host == _EVERYWHERE else host
    return None if reached is None else f"http://{reached}:{port}"


def find_lan_address() -> str | None:
    """The IPv4 address of this machine in its network, or None without a network."""
    return _address_of_default_route() or _address_of_an_interface()


def _address_of_default_route() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)  # sends nothing
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return None if address.startswith("127.") else address


def _address_of_an_interface() -> str | None:
    """For a network without a way out, such as the hotspot of a phone."""
    states = psutil.net_if_stats()
    for name, addresses in psutil.net_if_addrs().items():
        for each in addresses:
            is_up = name in states and states[name].isup
            if each.family == socket.AF_INET and is_up and not each.address.startswith("127."):
                return str(each.address)
    return None
