"""The answer to an append is cut off: the client still learns that it is stored."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from domain.event_store.publishing import Publishing
from tests.fault_rounds import rounds
from tests.histories import confirm_upload, create_post

TRIALS = rounds(200, brief=20)
CHUNK_BYTES = 1 << 16
# What an append of ours carries, whether its statement is prepared already or not.
APPENDED = b"post.uploaded"


class CuttingProxy:
    """Passes bytes to a server and back; `arm` makes it keep the answer to the next append."""

    def __init__(self, host: str, port: int) -> None:
        self.cut = 0
        self._upstream = (host, port)
        self._armed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def arm(self) -> None:
        """Keep the answer to the next append, and hang up instead."""
        self._armed.set()

    def serve(self) -> None:
        """Until `close`."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
                doomed = threading.Event()
                for pipe in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pipe, args=(*pipe, doomed), daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _pipe(
        self,
        source: socket.socket,
        target: socket.socket,
        is_asking: bool,  # noqa: FBT001 - of two directions
        doomed: threading.Event,
    ) -> None:
        with suppress(OSError), source, target:
            while content := source.recv(CHUNK_BYTES):
                if is_asking and APPENDED in content and self._armed.is_set():
                    self._armed.clear()
                    doomed.set()
                elif not is_asking and doomed.is_set():
                    # The server has answered: what was asked is done.
                    self.cut += 1
                    source.shutdown(socket.SHUT_RDWR)
                    target.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(content)


@contextmanager
def cutting_proxy(url: str) -> Iterator[tuple[CuttingProxy, str]]:
    """A proxy in front of the server of `url`, and the URL that leads through it."""
    options = conninfo_to_dict(url)
    proxy = CuttingProxy(str(options["host"]), int(str(options["port"])))
    serving = threading.Thread(target=proxy.serve)
    serving.start()
    user, password, name = (options.get(each, "") for each in ("user", "password", "dbname"))
    try:
        yield proxy, f"postgresql://{user}:{password}@127.0.0.1:{proxy.port}/{name}"
    finally:
        proxy.close()
        serving.join()


def test_no_stored_write_is_answered_with_a_failure(
    publishing: Publishing, database_url: str
) -> None:
    with (
        cutting_proxy(database_url) as (proxy, url),
        Publishing(url, pool_size=1) as through_proxy,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        for trial in range(TRIALS):
            post_id = uuid4()
            known = publishing.execute(create_post(post_id)).post
            proxy.arm()
            outcome = through_proxy.execute(confirm_upload(post_id), known=known)
            assert proxy.cut == trial + 1
            stored = connection.execute(
                "SELECT notification_id FROM post_events"
                " WHERE originator_id = %s AND topic = 'post.uploaded'",
                [post_id],
            ).fetchall()
            assert stored == [(outcome.position,)]
            jobs = connection.execute(
                "SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'post_id' = %s",
                [str(post_id)],
            ).fetchone()
            assert jobs == (1,)
