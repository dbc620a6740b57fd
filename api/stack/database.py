"""The database of the embedded server, and the role of the services in it."""

from typing import Final, LiteralString

from psycopg import AsyncConnection, sql

DATABASE: Final = "nova"
SERVICES: Final = "nova_services"


async def prepare_database(url: str, *, services_password: str) -> None:
    """Create the database and the role where they are missing, and set the role's password.

    Raises:
        psycopg.Error: the server refused a statement.
    """
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        if not await _is_there(connection, "pg_database WHERE datname", DATABASE):
            await _run(connection, "CREATE DATABASE {}", sql.Identifier(DATABASE))
        if not await _is_there(connection, "pg_roles WHERE rolname", SERVICES):
            await _run(connection, "CREATE ROLE {} LOGIN", sql.Identifier(SERVICES))
        # Encrypted here: the server may log the statement.
        verifier = connection.pgconn.encrypt_password(
            services_password.encode(), SERVICES.encode(), b"scram-sha-256"
        ).decode()
        role = sql.Identifier(SERVICES)
        await _run(connection, "ALTER ROLE {} PASSWORD {}", role, sql.Literal(verifier))


async def _is_there(connection: AsyncConnection[object], where: LiteralString, name: str) -> bool:
    found = await connection.execute(sql.SQL("SELECT FROM {} = {}").format(sql.SQL(where), name))
    return await found.fetchone() is not None


async def _run(
    connection: AsyncConnection[object], statement: LiteralString, *parts: sql.Composable
) -> None:
    await connection.execute(sql.SQL(statement).format(*parts))
