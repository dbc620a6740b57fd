"""The demo waits for a worker that takes jobs, and gives up when the read tables are stopped."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from api.cli.demo_waits import ReadTablesStopped, require_following, wait_for_worker
from api.stack.errors import ServerDidNotStart
from api.stack.local import LocalStack

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.anyio
async def test_a_running_worker_is_found(stack: LocalStack) -> None:
    url = stack.environ["DATABASE_URL"]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as database:
        await wait_for_worker(stack, database, since=LONG_AGO)
        await require_following(database)


@pytest.mark.anyio
async def test_a_worker_of_an_earlier_run_does_not_count(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.cli.demo_waits.WORKER_READY_WITHIN_SECONDS", 0.1)
    url, later = stack.environ["DATABASE_URL"], datetime.now(UTC) + timedelta(hours=1)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as database:
        with pytest.raises(ServerDidNotStart) as said:
            await wait_for_worker(stack, database, since=later)
    assert str(stack.log("worker")) in str(said.value)


@pytest.mark.anyio
async def test_a_stopped_projection_is_named_with_its_reason(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database:
        await database.execute(
            "INSERT INTO projection_failures (projection, position, error)"
            " VALUES ('posts', 14, 'CheckViolation: no')"
        )
        with pytest.raises(ReadTablesStopped, match=r"position 14 \(CheckViolation: no\)"):
            await require_following(database)
