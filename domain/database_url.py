"""The URL of the database: whether it is one, and network timeouts for it."""

import re
from typing import Final
from urllib.parse import parse_qs, urlencode

# A host that vanishes closes no connection: without these, a client would wait for 15 minutes.
# tcp_user_timeout is in milliseconds, the others in seconds.
_TIMEOUTS: Final = {
    "connect_timeout": "10",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}


_SCHEMES: Final = frozenset({"postgresql", "postgres"})
_HOST: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")
_UNENCODED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|#")


def is_database_url(url: str) -> bool:
    """Whether libpq reads the URL as it is meant.

    A password with characters that are not percent-encoded moves the limits between its parts, and
    libpq would print some of it in its message.
    """
    scheme, separator, rest = url.partition("://")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    user, _, hosts = authority.rpartition("@")
    return (
        scheme in _SCHEMES
        and bool(separator)
        and "@" not in user
        and not _UNENCODED.search(url)
        and all(_HOST.fullmatch(host) for host in hosts.split(","))
    )


def with_timeouts(url: str) -> str:
    """Add the timeouts that the URL does not set."""
    # Not urlunsplit: it would drop the slashes of a URL without a host.
    base, _, query = url.partition("?")
    set_already = parse_qs(query, keep_blank_values=True)
    missing = {name: value for name, value in _TIMEOUTS.items() if name not in set_already}
    return f"{base}?{'&'.join(filter(None, (query, urlencode(missing))))}"
