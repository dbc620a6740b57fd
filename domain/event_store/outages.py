"""Errors of the database by the class of their SQLSTATE: which go away, and what to do about them.

A condition that goes away by itself is waited for. Any other error might, too, once an operator has
acted: a process pauses longer and longer, and goes on.
"""

from typing import Final

import psycopg
from msgspec import Struct

# The longest prefix of a SQLSTATE counts: https://www.postgresql.org/docs/current/errcodes-appendix
_PASSES: Final = {
    "08": "The connection failed. Check the network and the server.",
    "25": "The server ended the transaction, which took too long.",
    "25006": (
        "The database is read-only: a failover, a standby's address, or a full disk. "
        "Make it writable, or connect to the primary."
    ),
    "40": "Another transaction was in the way. Nothing to do.",
    "53": "The server has no room left. Free disk, memory or connections.",
    "55": "Another session holds a lock. Look for long transactions.",
    "57": "The server is stopping or starting, or an operator cancelled the statement.",
    "58": "The server cannot read or write its files. Check its disk and its log.",
}
_NEEDS_ACTION: Final = {
    "28": "The server refused the role. Check user, password and pg_hba.conf.",
    "3D": "The database does not exist. Check its name.",
    "42": "The schema is not that of this release. Run nova migrate.",
    "42501": "The role lacks rights. Run nova migrate --grant.",
    "XX": "The server met damage or a bug in itself. Check its log, then its disk.",
}
_UNFORESEEN: Final = "Unforeseen. Read the error, and the server's log."
_NO_ANSWER: Final = "08"

FIRST_PAUSE_SECONDS: Final = 1.0
MAX_PAUSE_SECONDS: Final = 30.0


class Outage(Struct, frozen=True):
    """What an error means: whether the condition goes away by itself, and what to do."""

    is_temporary: bool
    advice: str


def outage_of(error: BaseException) -> Outage:
    """Classify an error, or the error of the database that caused it."""
    sqlstate = _sqlstate(error)
    for length in (5, 2):
        if advice := _PASSES.get(sqlstate[:length]):
            return Outage(is_temporary=True, advice=advice)
        if advice := _NEEDS_ACTION.get(sqlstate[:length]):
            return Outage(is_temporary=False, advice=advice)
    return Outage(is_temporary=False, advice=_UNFORESEEN)


class Pauses:
    """How long a loop pauses after each of its errors, before it starts again.

    A second while the condition goes away by itself, and otherwise twice as long each time, up to
    `MAX_PAUSE_SECONDS`. A loop that has run for that long begins at a second again.
    """

    def __init__(self) -> None:
        self._next_seconds = FIRST_PAUSE_SECONDS

    def after(self, error: BaseException, *, ran_seconds: float) -> float:
        """The pause in seconds after an error that ended a run of `ran_seconds`."""
        if is_temporary(error) or ran_seconds > MAX_PAUSE_SECONDS:
            self._next_seconds = FIRST_PAUSE_SECONDS
        pause_seconds = self._next_seconds
        if not is_temporary(error):
            self._next_seconds = min(2 * pause_seconds, MAX_PAUSE_SECONDS)
        return pause_seconds


def is_temporary(error: BaseException) -> bool:
    """Whether the condition behind an error goes away by itself."""
    return outage_of(error).is_temporary


def is_refused(error: psycopg.Error) -> bool:
    """Whether the values are at fault (class 22), a constraint (23) or a size (54): for good."""
    # What psycopg itself refuses has no SQLSTATE.
    return isinstance(error, psycopg.DataError) or _sqlstate(error)[:2] in {"22", "23", "54"}


def _sqlstate(error: BaseException) -> str:
    """The SQLSTATE behind an error; that of a lost connection if the server gave none."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, psycopg.Error):
        cause = cause.__cause__
    if cause is None:
        return ""
    is_unanswered = isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return cause.sqlstate or (_NO_ANSWER if is_unanswered else "")
