"""Audit accesses: who queried the audit trail, kept for ever like the events."""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from projections.connection import fetch_all

AuditRole: TypeAlias = Literal["operator", "auditor"]

_RECORD: Final = """
INSERT INTO audit_accesses (actor, role, question, filters, correlation_id)
VALUES (%(actor)s, %(role)s, %(question)s, %(filters)s, %(correlation_id)s)
"""
_NEWEST: Final = """
SELECT access_id, recorded_at, actor, role, question, filters, correlation_id
FROM audit_accesses ORDER BY access_id DESC LIMIT %(limit)s
"""
# A command names the post in its filters, a request in its path.
_TO_POST: Final = """
SELECT access_id, recorded_at, actor, role, question, filters, correlation_id
FROM audit_accesses
WHERE filters ->> 'post_id' = %(post_id)s::text
   OR position('/posts/' || %(post_id)s::text || '/' IN question) > 0
ORDER BY access_id
"""


class Access(Struct, frozen=True, kw_only=True):
    """A query and its actor: `question` is a path or a command."""

    actor: str
    role: AuditRole
    question: str
    filters: dict[str, Any]
    correlation_id: UUID


class RecordedAccess(Access, frozen=True, kw_only=True):
    """An access as recorded, before the query ran."""

    access_id: int
    recorded_at: datetime


async def record_access(connection: AsyncConnection[object], access: Access) -> None:
    """Record an access; a query that cannot be recorded must not run."""
    parameters = {**asdict(access), "filters": Jsonb(access.filters)}
    await connection.execute(_RECORD, parameters)


async def newest_accesses(
    connection: AsyncConnection[object], *, limit: int
) -> list[RecordedAccess]:
    """The newest accesses, newest first."""
    return await fetch_all(connection, RecordedAccess, _NEWEST, {"limit": limit})


async def accesses_to(connection: AsyncConnection[object], post_id: UUID) -> list[RecordedAccess]:
    """The accesses to the history of one post, oldest first; reads the whole record."""
    return await fetch_all(connection, RecordedAccess, _TO_POST, {"post_id": post_id})
