"""A store that answers as a test says, over real HTTP, and remembers what it was asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiohttp import web
from msgspec import Struct

from transcoder.settings import ObjectStoreSettings

Respond: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

BUCKET = "photos"
_HEADERS = {"Last-Modified": "Fri, 27 Nov 2026 12:00:00 GMT", "ETag": '"0"'}


class Asked(Struct, frozen=True):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedStore:
    """Serves at `url`; `settings` lead there."""

    def __init__(self, respond: Respond) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self._respond = respond

    @property
    def settings(self) -> ObjectStoreSettings:
        """For `open_s3`, with keys."""
        return ObjectStoreSettings(
            bucket=BUCKET,
            region="eu-central-1",
            endpoint_url=self.url,
            access_key_id="key-id",
            secret_access_key="secret",
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        answer = await self._respond(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.path, headers, await request.read()))
        return answer


@asynccontextmanager
async def scripted_store(
    respond: Respond, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedStore]:
    """Serve on loopback until the block ends."""
    store = ScriptedStore(respond)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", store.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        store.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
        yield store
    finally:
        await _close(runner)


async def _close(runner: web.AppRunner) -> None:
    """Stop serving; a connection whose client reads no more would stay open with its last bytes."""
    assert runner.server is not None
    transports = [connection.transport for connection in runner.server.connections]
    await runner.cleanup()
    for transport in filter(None, transports):
        transport.abort()
    # They close in the next turn of the event loop.
    await asyncio.sleep(0)


def sending(content: bytes) -> Respond:
    """Send `content`, whatever is asked."""

    async def respond(_request: web.Request) -> web.Response:
        return web.Response(body=content, headers=_HEADERS)

    return respond


def refusing(status: int, code: str | None, *, said: str = "") -> Respond:
    """Refuse everything with this status, and `code` and `said` in XML if there is a code."""
    text = f"<?xml version='1.0'?>\n<Error><Code>{code}</Code>{said}</Error>" if code else ""

    async def respond(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, content_type="application/xml")

    return respond


def sending_in_parts(parts: AsyncIterator[bytes], *, size: int) -> Respond:
    """Announce `size` bytes, and send parts."""

    async def respond(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={**_HEADERS, "Content-Length": str(size)})
        await answer.prepare(request)
        async for part in parts:
            await answer.write(part)
        return answer

    return respond
