"""Errors of the database are told apart by the class of their SQLSTATE."""

import psycopg
import pytest

from domain.event_store.outages import (
    MAX_PAUSE_SECONDS,
    Pauses,
    is_refused,
    is_temporary,
    outage_of,
)

errors = psycopg.errors


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("the server closed the connection"),
        psycopg.InterfaceError("the connection is closed"),
        errors.ReadOnlySqlTransaction(),
        errors.TransactionTimeout(),
        errors.DiskFull(),
        errors.OutOfMemory(),
        errors.TooManyConnections(),
        errors.AdminShutdown(),
        errors.CannotConnectNow(),
        errors.QueryCanceled(),
        errors.ConnectionFailure(),
        errors.SerializationFailure(),
        errors.DeadlockDetected(),
        errors.LockNotAvailable(),
        errors.IoError(),
    ],
    ids=lambda error: f"{type(error).__name__} {error.sqlstate}",
)
def test_a_condition_that_goes_away_is_waited_for(error: psycopg.Error) -> None:
    assert is_temporary(error)
    assert not is_refused(error)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (errors.ReadOnlySqlTransaction(), "read-only"),
        (errors.TransactionTimeout(), "took too long"),
        (errors.UndefinedTable(), "Run nova migrate."),
        (errors.InsufficientPrivilege(), "nova migrate --grant"),
        (errors.InvalidPassword(), "password"),
        (errors.DataCorrupted(), "damage"),
        (errors.FeatureNotSupported(), "Unforeseen"),
        (psycopg.Error(), "Unforeseen"),
        (KeyError("a bug"), "Unforeseen"),
    ],
)
def test_each_error_says_what_to_do(error: Exception, advice: str) -> None:
    assert advice in outage_of(error).advice


@pytest.mark.parametrize(
    "error",
    [
        psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
        errors.NumericValueOutOfRange(),
        errors.UniqueViolation(),
        errors.ProgramLimitExceeded(),
    ],
)
def test_what_the_values_are_to_blame_for_is_refused_for_good(error: psycopg.Error) -> None:
    assert is_refused(error)
    assert not is_temporary(error)


def test_the_error_of_the_database_counts_that_caused_another() -> None:
    wrapped = RuntimeError()
    wrapped.__cause__ = errors.AdminShutdown()
    assert is_temporary(wrapped)


def test_pauses_grow_for_what_is_not_foreseen_and_stay_short_for_what_goes_away() -> None:
    pauses = Pauses()
    bug, outage = KeyError("a bug"), errors.AdminShutdown()

    assert [pauses.after(bug, ran_seconds=0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert pauses.after(outage, ran_seconds=0) == 1
    assert [pauses.after(bug, ran_seconds=0) for _ in range(2)] == [1, 2]
    assert pauses.after(bug, ran_seconds=MAX_PAUSE_SECONDS + 1) == 1
