"""The tables of a rebuild: created like the live ones, and swapped for them."""

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import uuid4

from psycopg import AsyncConnection, sql
from psycopg.rows import tuple_row

from projections.connection import fetch_values
from projections.follow.projection import Projection

_POSITIONS: Final = "projection_positions"

_LEFTOVERS: Final = """
SELECT nspname FROM pg_namespace WHERE nspname ~ ('^rebuild_' || %(projection)s || '_[0-9a-f]{32}$')
"""
_CONSTRAINTS: Final = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %(table)s::regclass AND contype IN ('p', 'u', 'f')
ORDER BY contype <> 'p', contype = 'f', conname
"""
_INDEXES: Final = """
SELECT relname, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indexrelid
WHERE indrelid = %(table)s::regclass
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
# Roles that may read the live tables may read the new ones.
_GRANTS: Final = """
SELECT format(
    'GRANT %%s ON {table} TO %%s%%s', privilege_type,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
)
FROM pg_class, aclexplode(relacl) WHERE oid = %(table)s::regclass AND grantee <> relowner
"""
_ADD_MISSING: Final[LiteralString] = """
INSERT INTO {live}.{table} ({columns}) SELECT {columns} FROM {built}.{table} AS built
WHERE NOT EXISTS (SELECT FROM {live}.{table} AS kept WHERE ({kept_key}) = ({built_key}))
ON CONFLICT DO NOTHING
"""


async def drop_leftovers(connection: AsyncConnection[object], name: str) -> None:
    """Drop the schemas that interrupted rebuilds of this projection left."""
    await connection.execute("RESET search_path")
    for schema in await fetch_values(connection, _LEFTOVERS, {"projection": name}):
        drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE")
        await connection.execute(drop.format(sql.Identifier(schema)))


async def create_tables(
    connection: AsyncConnection[object], projection: Projection, *, live: str
) -> str:
    """Create empty tables with the live ones' columns and checks in a new schema.

    Returns its name; it comes first on the connection's search path.
    """
    schema = f"rebuild_{projection.name}_{uuid4().hex}"
    built, source = sql.Identifier(schema), sql.Identifier(live)
    async with connection.transaction():
        await connection.execute(sql.SQL("CREATE SCHEMA {}").format(built))
        await connection.execute(sql.SQL("SET search_path TO {}, {}").format(built, source))
        for table in (*_names(projection), _POSITIONS):
            like = sql.SQL("CREATE TABLE {}.{} (LIKE {}.{} INCLUDING ALL EXCLUDING INDEXES)")
            here = sql.Identifier(table)
            await connection.execute(like.format(built, here, source, here))
        start = sql.SQL("INSERT INTO {}.{} (projection) VALUES ({})")
        await connection.execute(start.format(built, sql.Identifier(_POSITIONS), projection.name))
    return schema


async def complete_tables(
    connection: AsyncConnection[object], projection: Projection, schema: str, *, live: str
) -> None:
    """Give the filled tables the live ones' keys, indexes and grants, and fresh statistics.

    Raises:
        psycopg.IntegrityError: the rows break a key.
    """
    for table in _names(projection):
        async with connection.transaction():
            await _copy_keys_and_indexes(connection, schema, table, live=live)
            await _copy_grants(connection, schema, table, live=live)
        vacuum = sql.SQL("VACUUM (ANALYZE) {}")
        await connection.execute(vacuum.format(sql.Identifier(schema, table)))


async def _copy_keys_and_indexes(
    connection: AsyncConnection[object], schema: str, table: str, *, live: str
) -> None:
    target = sql.Identifier(schema, table)
    original = {"table": f'"{live}"."{table}"'}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_CONSTRAINTS, original)
        constraints = await cursor.fetchall()
        await cursor.execute(_INDEXES, original)
        indexes = await cursor.fetchall()
        for name, definition in constraints:
            moved = str(definition).replace(f"REFERENCES {live}.", f"REFERENCES {schema}.")
            add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}")
            await cursor.execute(add.format(target, sql.Identifier(name), _verbatim(moved)))
        for _, definition in indexes:
            moved = str(definition).replace(f" ON {live}.", f" ON {schema}.", 1)
            await cursor.execute(_verbatim(moved))


async def _copy_grants(
    connection: AsyncConnection[object], schema: str, table: str, *, live: str
) -> None:
    target = sql.Identifier(schema, table).as_string().replace("%", "%%")
    query = sql.SQL(_GRANTS).format(table=_verbatim(target))
    for grant in await fetch_values(connection, query, {"table": f'"{live}"."{table}"'}):
        await connection.execute(_verbatim(grant))


async def add_missing_rows(
    connection: AsyncConnection[object], projection: Projection, schema: str, *, live: str
) -> None:
    """Insert the rows that kept tables lack; inside the caller's transaction."""
    for table in projection.tables:
        if table.on_rebuild == "keep":
            query = sql.SQL(_ADD_MISSING).format(
                live=sql.Identifier(live),
                built=sql.Identifier(schema),
                table=sql.Identifier(table.name),
                columns=_list(table.columns),
                kept_key=_list(table.key, of="kept"),
                built_key=_list(table.key, of="built"),
            )
            await connection.execute(query)


def _list(columns: Sequence[str], *, of: str | None = None) -> sql.Composed:
    qualified = [(of, column) if of else (column,) for column in columns]
    return sql.SQL(", ").join(sql.Identifier(*names) for names in qualified)


async def adopt_tables(
    connection: AsyncConnection[object], projection: Projection, schema: str, *, live: str
) -> None:
    """Put the new tables in the live ones' place; inside the caller's transaction."""
    names = {"live": sql.Identifier(live), "built": sql.Identifier(schema)}
    replaced = [table.name for table in projection.tables if table.on_rebuild == "replace"]
    for table in replaced:
        lock = sql.SQL("LOCK TABLE {live}.{table} IN ACCESS EXCLUSIVE MODE")
        await connection.execute(lock.format(**names, table=sql.Identifier(table)))
    for table in reversed(replaced):
        drop = sql.SQL("DROP TABLE {live}.{table}")
        await connection.execute(drop.format(**names, table=sql.Identifier(table)))
    for table in replaced:
        move = sql.SQL("ALTER TABLE {built}.{table} SET SCHEMA {live}")
        await connection.execute(move.format(**names, table=sql.Identifier(table)))


def _names(projection: Projection) -> list[str]:
    return [table.name for table in projection.tables]


def _verbatim(statement: str) -> sql.SQL:
    """SQL that the database wrote, as it is."""
    return sql.SQL(statement)  # pyright: ignore[reportArgumentType]
