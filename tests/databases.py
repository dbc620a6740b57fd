"""Fixtures: a migrated database per test, and what writes and reads it."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from api.migrate import migrate
from domain.event_store.publishing import Publishing

_ROOT: Final = Path(__file__).parents[1]


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio: the libraries below need it."""
    return "asyncio"


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> str:
    """The name of a migrated database that others are copied from.

    Named after its SQL, so that test sessions which share a server share it as well.
    """
    sql_files = sorted(path for path in _ROOT.glob("[!.]*/**/*.sql"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sql_files)).hexdigest()
    name = f"nova_template_{digest[:16]}"
    with psycopg.connect(postgres_server) as connection:
        query = "SELECT FROM pg_database WHERE datname = %s"
        is_there = connection.execute(query, [name]).fetchone() is not None
    if not is_there:
        _run(postgres_server, "CREATE DATABASE {}", name)
        migrate(_with_database(postgres_server, name))
    return name


@pytest.fixture
def database_url(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """A migrated database of the test's own."""
    name = f"test_{uuid4().hex}"
    _run(postgres_server, "CREATE DATABASE {} TEMPLATE {}", name, migrated_template)
    yield _with_database(postgres_server, name)
    _run(postgres_server, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def empty_database_url(postgres_server: str) -> Iterator[str]:
    """A database of the test's own that no migration has seen."""
    name = f"test_{uuid4().hex}"
    _run(postgres_server, "CREATE DATABASE {}", name)
    yield _with_database(postgres_server, name)
    _run(postgres_server, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def publishing(database_url: str) -> Iterator[Publishing]:
    """The writer, on the test's own database."""
    with Publishing(database_url) as publishing:
        yield publishing


@pytest.fixture
async def connections(
    database_url: str,
) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[object]]]:
    """Connections to the test's own database, in autocommit."""
    pool: AsyncConnectionPool[AsyncConnection[object]] = AsyncConnectionPool(
        database_url, min_size=1, max_size=4, kwargs={"autocommit": True}, open=False
    )
    async with pool:
        yield pool


def _with_database(url: str, name: str) -> str:
    options = conninfo_to_dict(url)
    return (
        f"postgresql://{options['user']}:{options.get('password', '')}"
        f"@{options['host']}:{options['port']}/{name}"
    )


def _run(url: str, statement: LiteralString, *names: str) -> None:
    with psycopg.connect(make_conninfo(url), autocommit=True) as connection:
        query = sql.SQL(statement).format(*map(sql.Identifier, names))
        connection.execute(query)
