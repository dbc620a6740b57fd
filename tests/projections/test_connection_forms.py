"""Connection strings: each form of libpq leads every part of the product to its database."""

import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from api.migrate import migrate
from domain.event_store.publishing import Publishing
from domain.settings import read_database_url
from projections.connection import connected, fetch_value
from projections.migrate import Applied
from tests.histories import create_post
from transcoder.queue.app import open_queue

PORT: Final = 5433
FORMS: Final[dict[str, Callable[[Any], str]]] = {
    "url": lambda at: f"postgres://{at.user}:{at.quoted}@{at.host}:{at.port}/{at.name}",
    "url with options": lambda at: (
        f"postgresql://?host={at.host}&port={at.port}&user={at.user}&password={at.quoted}"
        f"&dbname={at.name}"
    ),
    "socket": lambda at: (
        f"postgresql://{at.user}:{at.quoted}@/{at.name}?host={at.folder}&port={PORT}"
    ),
    "encoded socket": lambda at: (
        f"postgresql://{at.user}:{at.quoted}@{quote(at.folder, safe='')}:{PORT}/{at.name}"
    ),
    "several hosts": lambda at: (
        f"postgresql://{at.user}:{at.quoted}@127.0.0.1:9,{at.host}:{at.port}/{at.name}"
        "?target_session_attrs=read-write"
    ),
    "pairs": lambda at: (
        f"host={at.host} port={at.port} user={at.user} password='{at.password}' dbname={at.name}"
    ),
    "pairs with a socket": lambda at: (
        f"host={at.folder} port={PORT} user={at.user} password={at.password} dbname={at.name}"
    ),
    "pairs with several hosts": lambda at: (
        f"host=127.0.0.1,{at.host} port=9,{at.port} user={at.user} password={at.password}"
        f" dbname={at.name}"
    ),
}


class At:
    """A database: its parts, and the folder of a Unix socket that leads to it."""

    def __init__(self, url: str, folder: str) -> None:
        options = conninfo_to_dict(url)
        self.user, self.password = options["user"], str(options["password"])
        self.host, self.port = str(options["host"]), int(options["port"] or 0)
        self.name, self.folder = options["dbname"], folder
        self.quoted = quote(self.password, safe="")


class Relay(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Leads a Unix socket to the server, whose own is off in tests."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, at: At) -> None:
        self.target = (at.host, at.port)
        super().__init__(f"{at.folder}/.s.PGSQL.{PORT}", RelayedConnection)


class RelayedConnection(socketserver.BaseRequestHandler):
    """Copies bytes both ways until either side closes."""

    def handle(self) -> None:
        assert isinstance(self.server, Relay)
        with socket.create_connection(self.server.target) as upstream:
            back = threading.Thread(target=copy, args=(upstream, self.request))
            back.start()
            copy(self.request, upstream)
            back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


@pytest.fixture
def at(database_url: str) -> Iterator[At]:
    with tempfile.TemporaryDirectory() as folder:
        at = At(database_url, folder)
        with Relay(at) as relay:
            serving = threading.Thread(target=relay.serve_forever, args=(0.05,))
            serving.start()
            yield at
            relay.shutdown()
            serving.join()
        assert Path(folder).is_dir()


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
async def test_every_part_reads_it_alike(at: At, form: str) -> None:
    url = read_database_url("DATABASE_URL", FORMS[form](at))
    assert migrate(url) == Applied(migrations=[], functions=[], granted=[])
    with Publishing(url, pool_size=1) as publishing:
        assert publishing.execute(create_post()).position == 1
    async with connected(url) as connection:
        assert await fetch_value(connection, "SELECT count(*) FROM post_events") == 1
    async with open_queue(url, pool_size=1).open_async() as queue:
        assert await queue.job_manager.check_connection_async()
