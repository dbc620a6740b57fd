"""An API process to attack over real sockets: short deadlines, few descriptors, its log."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from api.http.authentication.tokens import create_token
from api.http.authentication.users import User
from api.stack.ports import choose_ports

SECRET: Final = "a secret that is long enough for anybody"
DESCRIPTORS: Final = 328
CONNECTIONS: Final = DESCRIPTORS - 128
PER_ADDRESS: Final = 100
# Short for a test, and much longer than the server takes to answer on a busy machine.
DEADLINES: Final = {
    "APP_HEAD_SECONDS": "1.5",
    "APP_BODY_SECONDS": "1.5",
    "APP_UNREAD_SECONDS": "1.5",
    "APP_SHUTDOWN_DELAY_SECONDS": "0",
}
PATIENCE_SECONDS: Final = 120.0
LIVE: Final = "/api/v1/health/live"
LOOPBACK: Final = "127.0.0.1"


class AttackedServer:
    """A running API process."""

    def __init__(
        self, process: subprocess.Popen[bytes], *, port: int, metrics: int, log: Path
    ) -> None:
        self.process = process
        self._port = port
        self._metrics = metrics
        self._log = log

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self._port}"

    def connect(self, *, source: str = LOOPBACK, receive_bytes: int | None = None) -> socket.socket:
        """A connection from this address, one of loopback's."""
        client = socket.socket()
        try:
            client.settimeout(PATIENCE_SECONDS)
            if receive_bytes is not None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            client.bind((source, 0))
            client.connect((LOOPBACK, self._port))
        except OSError:
            client.close()
            raise
        return client

    def status(self, *, source: str = LOOPBACK) -> int:
        """The answer that a well-behaved client gets on a new connection from this address."""
        with self.connect(source=source) as client:
            client.sendall(request(LIVE))
            return status_of(read_one(client))

    def memory(self) -> int:
        """Its resident memory in bytes."""
        rss: int = psutil.Process(self.process.pid).memory_info().rss
        return rss

    def samples(self, name: str) -> dict[str, float]:
        """The values of a metric, by their labels joined with commas."""
        text = httpx.get(f"http://{LOOPBACK}:{self._metrics}/metrics").text
        return {
            ",".join(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def log(self) -> str:
        """All that it logged."""
        return self._log.read_text()


@contextmanager
def attacked_server(folder: Path, database_url: str, **environ: str) -> Iterator[AttackedServer]:
    """Run an API process until the block ends; its database has no tables."""
    ports = choose_ports(["api", "metrics"], folder / "ports.json")
    log = folder / "api.log"
    settings = {
        "DATABASE_URL": database_url,
        "S3_BUCKET_NAME": "none",
        "S3_ENDPOINT_URL": f"http://{LOOPBACK}:9",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "JWT_SECRET": SECRET,
        "APP_PORT": str(ports["api"]),
        "METRICS_PORT": str(ports["metrics"]),
        "APP_CONNECTIONS_PER_ADDRESS": str(PER_ADDRESS),
        **DEADLINES,
        **environ,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api", "api"],
            env={"PATH": os.environ["PATH"], **settings},
            stdout=output,
            stderr=output,
        )
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        server = AttackedServer(process, port=ports["api"], metrics=ports["metrics"], log=log)
        try:
            wait_until(lambda: _is_up(server))
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)


def _is_up(server: AttackedServer) -> bool:
    assert server.process.poll() is None, server.log()
    try:
        return server.status() == 200
    except OSError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def request(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = (f"{method} {path} HTTP/1.1", "Host: api.example", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def authorization() -> str:
    """The header of a user."""
    return f"Authorization: Bearer {create_token(SECRET, User(id=uuid4(), role='user'))}"


def read_one(client: socket.socket) -> bytes:
    """One response, of a connection that stays open."""
    received = b""
    while not (head := re.search(rb"(?s)^.*?\r\n\r\n", received)):
        received += _some(client)
    length = re.search(rb"(?i)content-length: (\d+)", head[0])
    while len(received) < head.end() + (int(length[1]) if length else 0):
        received += _some(client)
    return received


def _some(client: socket.socket) -> bytes:
    part = client.recv(1 << 16)
    assert part, "the server closed the connection"
    return part


def read_all(client: socket.socket) -> bytes:
    """What the server sends until it closes the connection."""
    received = bytearray()
    try:
        while part := client.recv(1 << 16):
            received += part
    except ConnectionError:
        pass
    return bytes(received)


def status_of(answer: bytes) -> int:
    """The status of a response."""
    return int(answer.split(b" ", 2)[1])
