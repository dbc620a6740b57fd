"""The least that a read can cost: a bare Litestar handler that runs one indexed query.

Run as `python -m benchmarks.bare_handler PORT`, with `DATABASE_URL` set.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import uvicorn
from litestar import Litestar, get
from litestar.datastructures import State
from litestar.params import FromPath
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

Connections = AsyncConnectionPool[AsyncConnection[object]]


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    """Open the database."""
    connections: Connections = AsyncConnectionPool(
        os.environ["DATABASE_URL"], max_size=10, kwargs={"autocommit": True}, open=False
    )
    async with connections:
        app.state.connections = connections
        yield


@get("/posts/{post_id:uuid}")
async def read_post(post_id: FromPath[UUID], state: State) -> dict[str, str]:
    """One post's status."""
    connections: Connections = state.connections
    async with connections.connection() as connection:
        found = await connection.execute("SELECT status FROM posts WHERE id = %s", [post_id])
        row = await found.fetchone()
    assert isinstance(row, tuple)
    return {"id": str(post_id), "status": row[0]}


if __name__ == "__main__":
    uvicorn.run(
        Litestar([read_post], lifespan=[lifespan], openapi_config=None, logging_config=None),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
    )
