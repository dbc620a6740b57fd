"""Grants: what the role of the services may do, which is everything but changing the log.

The tables belong to the role that migrates. The others may append to the log through the function
`append_post_events`, add to the tables that a trigger keeps append-only, and write the rest.
"""

from typing import Any, Final

from psycopg import Connection, sql

_LOG: Final = "post_events"
_APPEND: Final = "append_post_events"
# The migrations' own tables, which say how far the database is.
_READ_ONLY: Final = (_LOG, "_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock")

_OVERPOWERED: Final = """
SELECT rolsuper OR rolreplication OR rolcreaterole OR pg_has_role(oid, current_user, 'MEMBER')
FROM pg_roles WHERE rolname = %(role)s
"""
_APPENDERS: Final = """
SELECT pg_get_userbyid(acl.grantee) FROM pg_proc, aclexplode(proacl) AS acl
WHERE proname = %(function)s AND pronamespace = current_schema()::regnamespace
  AND acl.grantee NOT IN (0, proowner)
"""
# Each statement is written and quoted by the server.
_GRANTS: Final = """
WITH relations AS (
    SELECT oid, oid::regclass AS name, relname, relkind, EXISTS (
        SELECT FROM pg_trigger AS kept JOIN pg_proc AS refusing ON refusing.oid = kept.tgfoid
        WHERE kept.tgrelid = relation.oid AND refusing.proname = 'refuse_change'
    ) AS is_append_only, EXISTS (
        SELECT FROM pg_depend WHERE objid = relation.oid AND deptype = 'i'
    ) AS is_identity
    FROM pg_class AS relation
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'S')
)
SELECT format('GRANT USAGE ON SCHEMA %%I TO %%I', current_schema(), %(role)s::text)
UNION ALL
SELECT format('REVOKE ALL ON %%s FROM %%I', name, %(role)s::text) FROM relations WHERE relkind = 'r'
UNION ALL
SELECT format(
    'GRANT %%s ON %%s TO %%I',
    CASE WHEN relname = ANY (%(read_only)s) THEN 'SELECT'
         WHEN is_append_only THEN 'SELECT, INSERT'
         ELSE 'SELECT, INSERT, UPDATE, DELETE' END,
    name, %(role)s::text
) FROM relations WHERE relkind = 'r'
UNION ALL
-- Of identity columns, inserting is enough.
SELECT format('GRANT USAGE ON SEQUENCE %%s TO %%I', name, %(role)s::text)
FROM relations WHERE relkind = 'S' AND NOT is_identity
UNION ALL
SELECT format('GRANT EXECUTE ON FUNCTION %%s TO %%I', oid::regprocedure, %(role)s::text)
FROM pg_proc WHERE proname = %(function)s AND pronamespace = current_schema()::regnamespace
UNION ALL
-- Up to PostgreSQL 14, every role may create functions there, also ones that ours would call.
SELECT format('REVOKE CREATE ON SCHEMA %%I FROM PUBLIC', current_schema())
"""


class GrantError(Exception):
    """Base of the errors of granting; the message says what to do.

    GrantError
    ├── NoSuchRole
    └── OverpoweredRole
    """


class NoSuchRole(GrantError):
    """The role to grant to does not exist."""

    def __init__(self, role: str) -> None:
        super().__init__(f"role {role} does not exist: create it first, with LOGIN and a password")
        self.role = role


class OverpoweredRole(GrantError):
    """Nothing can be withheld from the role, so granting to it would protect nothing."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"role {role} is the owner, a superuser or as good as one: grants would protect nothing"
        )
        self.role = role


def granted_roles(connection: Connection[Any]) -> list[str]:
    """The roles, besides the owner, that may append to the log."""
    found = connection.execute(_APPENDERS, {"function": _APPEND}).fetchall()
    return [role for (role,) in found]


def grant(connection: Connection[Any], role: str) -> None:
    """Give a role what the services need, and nothing more, in one transaction.

    Raises:
        NoSuchRole: it does not exist.
        OverpoweredRole: it could change the log all the same.
        psycopg.Error: the connection's own role does not own the tables.
    """
    found = connection.execute(_OVERPOWERED, {"role": role}).fetchone()
    if found is None:
        raise NoSuchRole(role)
    if found[0]:
        raise OverpoweredRole(role)
    names = {"role": role, "function": _APPEND, "read_only": list(_READ_ONLY)}
    with connection.transaction():
        for (statement,) in connection.execute(_GRANTS, names).fetchall():
            connection.execute(sql.SQL(statement))
