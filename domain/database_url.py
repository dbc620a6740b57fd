"""Network timeouts for the URL of the database."""

from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

# A host that vanishes closes no connection: without these, a client would wait for 15 minutes.
# tcp_user_timeout is in milliseconds, the others in seconds.
_TIMEOUTS: Final = {
    "connect_timeout": "10",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}


def with_timeouts(url: str) -> str:
    """Add the timeouts that the URL does not set. Anything but a URL is returned unchanged."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    query_names = parse_qs(parts.query)
    missing = {name: value for name, value in _TIMEOUTS.items() if name not in query_names}
    query = "&".join(filter(None, (parts.query, urlencode(missing))))
    return urlunsplit(parts._replace(query=query))
