"""The connection string of the database, in any form that libpq reads: URL or key=value pairs."""

import re
from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# A host that vanishes closes no connection: without these, a client would wait for 15 minutes.
# tcp_user_timeout is in milliseconds, the others in seconds.
_TIMEOUTS: Final = {
    "connect_timeout": "10",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}
# libpq waits for each host as long, and one that has vanished comes first for ever.
_SEVERAL_HOSTS: Final = {"connect_timeout": "3"}


_SCHEMES: Final = frozenset({"postgresql", "postgres"})
_HOST: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")
_UNENCODED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|#")


def is_database_url(url: str) -> bool:
    """Whether libpq reads the connection string as it is meant.

    In a URL, a password with characters that are not percent-encoded moves the limits between its
    parts, and libpq would print some of it in its message.
    """
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        return False
    scheme, separator, rest = url.partition("://")
    return _is_unambiguous(rest) if separator and scheme in _SCHEMES else True


def _is_unambiguous(rest: str) -> bool:
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    user, _, hosts = authority.rpartition("@")
    return (
        "@" not in user
        and not _UNENCODED.search(rest)
        and all(_HOST.fullmatch(host) for host in hosts.split(","))
    )


def limited(url: str) -> str:
    """The same database as key=value pairs, with the timeouts that the string does not set.

    Raises:
        psycopg.ProgrammingError: libpq cannot read it; the message may show parts of a password.
    """
    options = conninfo_to_dict(url)
    hosts = str(options.get("host") or options.get("hostaddr") or "")
    timeouts = _TIMEOUTS | (_SEVERAL_HOSTS if "," in hosts else {})
    return make_conninfo("", **{**timeouts, **options})
