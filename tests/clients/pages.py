"""A web server for pages of the tests: it serves files from memory and keeps what pages report."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Thread
from typing import Any, Final

Reported = Callable[[Any], None]

_TYPES: Final = {"js": "text/javascript", "json": "application/json", "html": "text/html"}


class Pages:
    """Where the pages are, and what they reported."""

    def __init__(self, port: int, results: "Queue[Any]") -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self._results = results

    def wait_for_result(self, *, within_seconds: float) -> Any:
        """What a page posted to `/result`."""
        try:
            return self._results.get(timeout=within_seconds)
        except Empty:
            message = f"the page reported nothing within {within_seconds} s"
            raise AssertionError(message) from None


@contextmanager
def serve_pages(
    files: Mapping[str, bytes], *, reported: Mapping[str, Reported] | None = None
) -> Iterator[Pages]:
    """Serve `files` by path until the block ends; calls `reported` with what is posted there."""
    results: Queue[Any] = Queue()
    receivers = {"/result": results.put, **(reported or {})}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = "/index.html" if self.path == "/" else self.path
            if path not in files:
                self.send_error(404)
                return
            self._send(files[path], _TYPES.get(path.rpartition(".")[2], "image/jpeg"))

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receivers[self.path](content)
            self._send(b"{}", "application/json")

        def _send(self, content: bytes, media_type: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overrides
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Pages(server.server_port, results)
        finally:
            server.shutdown()
            thread.join()
