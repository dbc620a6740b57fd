"""Problems: stable types, short titles, advice in the detail, and nothing internal."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from litestar.exceptions import InternalServerException
from psycopg_pool import AsyncConnectionPool

from api.http.problems.types import PROBLEM_TYPES
from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem

SECRET_TEXT = "connection to 10.1.2.3 as nova failed"


@contextmanager
def raising(error: Exception, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every connection that a request asks for raises `error`."""

    def connection(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(AsyncConnectionPool, "connection", connection)
        yield


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError(SECRET_TEXT), (503, "database-unavailable")),
        (psycopg.errors.AdminShutdown(SECRET_TEXT), (503, "database-unavailable")),
        (psycopg.InternalError(SECRET_TEXT), (503, "database-unavailable")),
        (psycopg.ProgrammingError(SECRET_TEXT), (500, "internal-error")),
        (InternalServerException(SECRET_TEXT), (500, "internal-error")),
        (OSError(SECRET_TEXT), (500, "internal-error")),
    ],
)
async def test_a_server_error_has_a_type_and_keeps_its_text_to_itself(
    owner: Caller, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: tuple[int, str]
) -> None:
    with raising(error, monkeypatch):
        answer = await owner.get("/api/v1/posts")
    assert problem(answer) == expected
    assert "10.1.2.3" not in answer.text
    assert ("retry-after" in answer.headers) == (expected[0] == 503)


def test_titles_are_short_and_server_errors_have_a_fixed_detail() -> None:
    for problem_type in PROBLEM_TYPES.values():
        assert len(problem_type.title.split()) < 10
        assert not problem_type.title.endswith(".")
        assert problem_type.status < 500 or problem_type.detail


def test_the_types_that_clients_rely_on_never_change() -> None:
    assert {(each.slug, int(each.status)) for each in PROBLEM_TYPES.values()} == {
        ("database-unavailable", 503),
        ("file-too-large", 413),
        ("file-too-small", 400),
        ("headers-too-large", 431),
        ("idempotency-key-reused", 422),
        ("identity-provider-unavailable", 503),
        ("insufficient-role", 403),
        ("internal-error", 500),
        ("invalid-cursor", 400),
        ("invalid-query", 400),
        ("invalid-request", 400),
        ("invalid-upload-token", 403),
        ("malformed-request", 400),
        ("method-not-allowed", 405),
        ("not-found", 404),
        ("not-json", 415),
        ("not-uploaded", 409),
        ("not-yet-readable", 503),
        ("object-store-unavailable", 503),
        ("permanently-failed", 409),
        ("post-not-failed", 409),
        ("post-not-found", 404),
        ("post-not-pending", 409),
        ("precondition-failed", 412),
        ("queue-full", 503),
        ("retries-exhausted", 409),
        ("request-timeout", 408),
        ("request-too-large", 413),
        ("too-many-connections", 503),
        ("limits-unavailable", 503),
        ("quota-exceeded", 429),
        ("too-many-requests", 429),
        ("too-many-waiting-photos", 429),
        ("unauthorized", 401),
        ("unsupported-content-type", 415),
        ("upload-expired", 410),
        ("version-conflict", 503),
    }
