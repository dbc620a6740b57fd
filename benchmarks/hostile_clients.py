"""Hostile clients of an HTTP server, and a well-behaved one that meets it at the same time.

`python -m benchmarks.hostile_clients URL` attacks any server, for comparisons.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

import psutil
from msgspec import Struct

IDLE: Final = 1050
LIVE: Final = b"GET /api/v1/health/live HTTP/1.1\r\nHost: api.example\r\n\r\n"
HEAD: Final = b"GET / HTTP/1.1\r\nHost: api.example\r\n"
LARGE: Final = (
    b"GET /docs/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: api.example\r\n\r\n" * 10
)
HALF_BODY: Final = (
    b"POST /api/v1/posts/upload/init HTTP/1.1\r\nHost: api.example\r\nContent-Length: 900\r\n\r\n{"
)
MB: Final = 1_000_000
POLITE_PAUSE_SECONDS: Final = 0.02


class Effect(Struct, frozen=True):
    """What an attack did: to a polite client's requests (seconds, and how many failed), and MB."""

    attack: str
    median_seconds: float
    most_seconds: float
    failed: int
    more_megabytes: float
    note: str

    def row(self) -> str:
        """A line of the table."""
        return (
            f"{self.attack:34} {1000 * self.median_seconds:7.1f} {1000 * self.most_seconds:8.1f} "
            f"{self.failed:6} {self.more_megabytes:8.0f}  {self.note}"
        )


HEADINGS: Final = f"{'attack':34} {'p50 ms':>7} {'max ms':>8} {'failed':>6} {'more MB':>8}"


class Target:
    """A server on this machine."""

    def __init__(self, url: str) -> None:
        split = urlsplit(url)
        assert split.hostname is not None
        assert split.port is not None
        self.address = split.hostname, split.port
        self._process = next(
            psutil.Process(each.pid)
            for each in psutil.net_connections("tcp")
            if each.status == "LISTEN" and each.laddr[1:] == (split.port,) and each.pid
        )

    def memory(self) -> float:
        """Resident memory in MB."""
        rss: int = self._process.memory_info().rss
        return rss / MB

    def serves(self, client: socket.socket) -> bool:
        """Whether the server still holds the other end of this connection."""
        port = client.getsockname()[1]
        return any(each.raddr[1:] == (port,) for each in self._process.net_connections("tcp"))

    def connect(self, *, source: str = "127.0.0.1", receive_bytes: int = 0) -> socket.socket:
        """A connection from this address of loopback."""
        client = socket.socket()
        client.settimeout(10)
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.bind((source, 0))
        client.connect(self.address)
        return client


def effects(target: Target, *, seconds: float, lives_at_most: float) -> Iterator[Effect]:
    """Attack in every way, each for so long, and wait so long for a connection to be closed."""
    with ExitStack() as clients:
        yield measure("nobody", target, lambda: time.sleep(seconds))
    for addresses in (1, 200):
        name = f"{IDLE} silent, of {addresses} addresses"
        with ExitStack() as clients:

            def connect(clients: ExitStack = clients, addresses: int = addresses) -> None:
                for number in range(IDLE):
                    source = f"127.0.1.{number % addresses + 1}"
                    clients.enter_context(target.connect(source=source))
                time.sleep(seconds)

            yield measure(name, target, connect)
    yield measure("a header of 40 MB", target, lambda: send(target, HEAD + b"X: ", b"x" * MB, 40))
    with ExitStack() as clients:

        def send_many() -> None:
            for _ in range(10):
                client = clients.enter_context(target.connect())
                with suppress(OSError):
                    client.sendall(HEAD + b"a:b\r\n" * 500_000)
            time.sleep(seconds)

        yield measure("10 × 500,000 small headers", target, send_many)
    for name, start in (
        ("silent", b""),
        ("half a head, trickling", HEAD + b"X: "),
        ("half a body, trickling", HALF_BODY),
        ("response not read", LARGE),
    ):
        yield lifetime(name, target, start, lives_at_most=lives_at_most)


def measure(name: str, target: Target, attack: Callable[[], object]) -> Effect:
    """Attack, beside a polite client on new connections."""
    before = target.memory()
    with polite_client(target) as (seconds, failures):
        started = time.perf_counter()
        note = attack()
        took = time.perf_counter() - started
        more = target.memory() - before
    ordered = sorted(seconds) or [float("nan")]
    return Effect(
        name,
        ordered[len(ordered) // 2],
        ordered[-1],
        len(failures),
        more,
        f"{note or f'for {took:.1f} s'}",
    )


@contextmanager
def polite_client(target: Target) -> Iterator[tuple[list[float], list[str]]]:
    """Ask again and again on new connections: seconds of each answer, and what failed."""
    seconds: list[float] = []
    failures: list[str] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(POLITE_PAUSE_SECONDS):
            started = time.perf_counter()
            try:
                with target.connect(source="127.0.0.9") as client:
                    client.sendall(LIVE)
                    is_answered = b" 200 " in client.recv(1 << 16)
            except OSError:
                is_answered = False
            if is_answered:
                seconds.append(time.perf_counter() - started)
            else:
                failures.append(f"{time.perf_counter() - started:.1f}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seconds, failures
    finally:
        ended.set()
        thread.join()


def send(target: Target, start: bytes, part: bytes, times: int) -> str:
    """Send a request without an end; what became of it."""
    sent = 0
    with target.connect() as client:
        try:
            client.sendall(start)
            for _ in range(times):
                client.sendall(part)
                sent += len(part)
        except OSError:
            return f"refused after {sent / MB:.0f} MB"
    return f"took {sent / MB:.0f} MB"


def lifetime(name: str, target: Target, start: bytes, *, lives_at_most: float) -> Effect:
    """Let a connection stall, with a byte a second if it has begun something."""

    def stall() -> str:
        started = time.perf_counter()
        with target.connect(receive_bytes=4096 if start is LARGE else 0) as client:
            client.sendall(start)
            while (lives := time.perf_counter() - started) < lives_at_most:
                # Longer than the server takes to accept it.
                time.sleep(1)
                if not target.serves(client):
                    return f"closed after {lives:.0f} s"
                with suppress(OSError):
                    if start and start is not LARGE:
                        client.sendall(b"x")
        return f"open after {lives_at_most:.0f} s"

    return measure(name, target, stall)


if __name__ == "__main__":
    print(HEADINGS)
    for effect in effects(Target(sys.argv[1]), seconds=5, lives_at_most=45):
        print(effect.row(), flush=True)
