"""A relay: opens one port of a server on loopback to the network.

SeaweedFS listens with all of its parts on one address. Opening its S3 port alone takes a port of
ours in front of it; the signatures that it checks cover the host and port that clients name.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from anyio.abc import ByteReceiveStream, ByteStream, SocketStream

from api.stack.addresses import LOOPBACK
from api.stack.supervisor import unwrap_single_error

CONNECT_WITHIN_SECONDS = 5
# A connection that is reset, or closed by the other direction.
_CLOSED = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError)


@asynccontextmanager
async def relay(*, host: str, port: int, to_port: int) -> AsyncIterator[None]:
    """Pass each connection to `host`:`port` on to `to_port` of loopback, until the block ends.

    Raises:
        OSError: `host`:`port` cannot be bound.
    """
    listener = await anyio.create_tcp_listener(local_host=host, local_port=port)
    with unwrap_single_error():
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, partial(_pass_on, to_port))
            yield
            tasks.cancel_scope.cancel()


async def _pass_on(to_port: int, client: SocketStream) -> None:
    async with client:
        try:
            with anyio.fail_after(CONNECT_WITHIN_SECONDS):
                server = await anyio.connect_tcp(LOOPBACK, to_port)
        except (OSError, TimeoutError):  # it is restarting: the client sees a closed connection
            return
        async with server:
            await _exchange(client, server)


async def _exchange(client: ByteStream, server: ByteStream) -> None:
    """Copy in both directions until both ended, or one broke."""
    async with anyio.create_task_group() as copying:
        copying.start_soon(_copy, client, server, copying.cancel_scope)
        copying.start_soon(_copy, server, client, copying.cancel_scope)


async def _copy(source: ByteReceiveStream, target: ByteStream, broken: anyio.CancelScope) -> None:
    # Waits as long as the server allows: it closes idle connections after 120 s.
    try:
        async for chunk in source:
            await target.send(chunk)
        await target.send_eof()
    except _CLOSED:
        broken.cancel()
