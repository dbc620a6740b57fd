"""The URL of the database, with limits on how long a silent network is waited for."""

from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

# A machine that vanishes says nothing: without these, whoever waits for its answer would wait for
# a quarter of an hour. In libpq's units: milliseconds, and seconds.
_LIMITS: Final = {
    "connect_timeout": "10",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}


def limited(url: str) -> str:
    """The same URL with the limits that it does not set itself; anything but a URL as it is."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    missing = {name: limit for name, limit in _LIMITS.items() if name not in parse_qs(parts.query)}
    query = "&".join(filter(None, (parts.query, urlencode(missing))))
    return urlunsplit(parts._replace(query=query))
