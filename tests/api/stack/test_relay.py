"""The relay opens one port of a server on loopback, and breaks nothing when either side goes."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream

from api.stack.ports import choose_ports
from api.stack.relay import relay

pytestmark = pytest.mark.anyio

ELSEWHERE = "127.0.0.2"
WITHIN_SECONDS = 30


@pytest.fixture
def port(tmp_path: Path) -> int:
    """A port that the relay listens on."""
    return choose_ports(["relay"], tmp_path / "elsewhere.json", host=ELSEWHERE)["relay"]


@pytest.fixture
def to_port(tmp_path: Path) -> int:
    """A port that a server listens on."""
    return choose_ports(["server"], tmp_path / "here.json")["server"]


async def _serve_upper_case(client: SocketStream) -> None:
    async with client:
        received = b"".join([chunk async for chunk in client])
        await client.send(received.upper())


@asynccontextmanager
async def _relayed_server(port: int, to_port: int) -> AsyncIterator[None]:
    """A server that answers in capitals, behind a relay."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=to_port)
    with anyio.fail_after(WITHIN_SECONDS):
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, _serve_upper_case)
            async with relay(host=ELSEWHERE, port=port, to_port=to_port):
                yield
            tasks.cancel_scope.cancel()


async def _ask(port: int, content: bytes) -> bytes:
    async with await anyio.connect_tcp(ELSEWHERE, port) as connection:
        await connection.send(content)
        await connection.send_eof()
        return b"".join([chunk async for chunk in connection])


async def test_both_directions_and_their_ends_are_passed_on(port: int, to_port: int) -> None:
    content = b"a photo of several megabytes " * 200_000
    async with _relayed_server(port, to_port):
        assert await _ask(port, content) == content.upper()
    with pytest.raises(OSError, match="connect"):
        await anyio.connect_tcp(ELSEWHERE, port)


async def test_a_client_that_resets_its_connection_breaks_nothing(port: int, to_port: int) -> None:
    async with _relayed_server(port, to_port):
        with socket.create_connection((ELSEWHERE, port)) as rude:
            rude.sendall(b"x")
            # With no time to linger, closing resets.
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert await _ask(port, b"next") == b"NEXT"


async def test_a_server_that_is_down_closes_each_connection(port: int) -> None:
    with anyio.fail_after(WITHIN_SECONDS):
        async with relay(host=ELSEWHERE, port=port, to_port=9):
            for _ in range(2):
                async with await anyio.connect_tcp(ELSEWHERE, port) as connection:
                    with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                        await connection.receive()


async def test_an_error_of_the_block_leaves_as_itself(port: int) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with relay(host=ELSEWHERE, port=port, to_port=9):
            raise LookupError("mine")
