"""The tables of a rebuild: made like the live ones under the same names, and put in their place."""

from typing import Final, LiteralString

from psycopg import AsyncConnection, sql
from psycopg.rows import tuple_row

# In an order that their references allow.
REPLACED: Final = ("posts", "post_images", "upload_sessions")
# Filled anew only to tell which rows the live table lacks: its counters are other writers'.
KEPT: Final = "post_metadata"

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
_ADD_MISSING: Final[LiteralString] = """
INSERT INTO {live}.post_metadata (post_id)
SELECT post_id FROM {built}.post_metadata AS built
WHERE NOT EXISTS (SELECT FROM {live}.post_metadata AS kept WHERE kept.post_id = built.post_id)
ON CONFLICT DO NOTHING
"""


def schema_of(name: str) -> str:
    """The schema in which a projection is rebuilt."""
    return f"rebuild_{name}"


async def drop_leftovers(connection: AsyncConnection[object], name: str) -> None:
    """Drop what a rebuild of this projection left, whole or half-made."""
    await connection.execute("RESET search_path")
    schema = sql.Identifier(schema_of(name))
    await connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))


async def create_tables(connection: AsyncConnection[object], name: str, *, live: str) -> None:
    """Create empty tables with the live ones' columns, checks, keys and indexes, by name."""
    schema = schema_of(name)
    built, source = sql.Identifier(schema), sql.Identifier(live)
    async with connection.transaction():
        await connection.execute(sql.SQL("CREATE SCHEMA {}").format(built))
        path = sql.SQL("SET search_path TO {}, {}").format(built, source)
        await connection.execute(path)
        for table in (*REPLACED, KEPT, "projection_positions"):
            like = sql.SQL("CREATE TABLE {}.{} (LIKE {}.{} INCLUDING ALL EXCLUDING INDEXES)")
            here = sql.Identifier(table)
            await connection.execute(like.format(built, here, source, here))
            await _copy_keys_and_indexes(connection, schema, table, live=live)
        start = sql.SQL("INSERT INTO {}.projection_positions (projection) VALUES ({})")
        await connection.execute(start.format(built, sql.Literal(name)))


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


async def adopt_tables(connection: AsyncConnection[object], schema: str, *, live: str) -> None:
    """Put the new tables in the live ones' place; inside the caller's transaction."""
    names = {"live": sql.Identifier(live), "built": sql.Identifier(schema)}
    for table in REPLACED:
        lock = sql.SQL("LOCK TABLE {live}.{table} IN ACCESS EXCLUSIVE MODE")
        await connection.execute(lock.format(**names, table=sql.Identifier(table)))
    await connection.execute(sql.SQL(_ADD_MISSING).format(**names))
    for table in reversed(REPLACED):
        drop = sql.SQL("DROP TABLE {live}.{table}")
        await connection.execute(drop.format(**names, table=sql.Identifier(table)))
    for table in REPLACED:
        move = sql.SQL("ALTER TABLE {built}.{table} SET SCHEMA {live}")
        await connection.execute(move.format(**names, table=sql.Identifier(table)))


def _verbatim(statement: str) -> sql.SQL:
    """What the database itself wrote."""
    return sql.SQL(statement)  # pyright: ignore[reportArgumentType]
