"""The record of who read the audit trail, on a real PostgreSQL."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from projections.audit.accesses import Access, newest_accesses, record_access

pytestmark = pytest.mark.anyio

Connections = AsyncConnectionPool[AsyncConnection[object]]


def access(**changes: object) -> Access:
    values = {
        "actor": "user:a",
        "role": "auditor",
        "question": "/api/v1/audit/events",
        "filters": {"type": "post.failed"},
        "correlation_id": uuid4(),
    }
    return Access(**{**values, **changes})  # type: ignore[arg-type]


async def test_accesses_are_kept_and_can_be_neither_changed_nor_removed(
    connections: Connections,
) -> None:
    first, second = access(), access(role="operator")
    async with connections.connection() as connection:
        await record_access(connection, first)
        await record_access(connection, second)
        kept = await newest_accesses(connection, limit=10)
        assert [each.correlation_id for each in kept] == [
            second.correlation_id,
            first.correlation_id,
        ]
        assert kept[0].filters == {"type": "post.failed"}
        assert [(each.actor, each.role) for each in kept] == [
            (second.actor, "operator"),
            (first.actor, first.role),
        ]
        assert abs(kept[0].recorded_at - datetime.now(UTC)) < timedelta(minutes=1)
        for statement in (
            "UPDATE audit_accesses SET actor = 'user:b'",
            "DELETE FROM audit_accesses",
            "TRUNCATE audit_accesses",
        ):
            with pytest.raises(psycopg.errors.RestrictViolation):
                await connection.execute(statement)
