"""A faulty object store: a real one behind a proxy that injects faults."""

import asyncio
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

import aiohttp
from aiohttp import web
from yarl import URL

# `healthy` passes everything on; `reset` hangs up in the middle of large bodies, whoever sends
# them; `unanswered` does what it is told, and hangs up instead of saying so; `slow` takes and sends
# bodies at `SLOW_BYTES_PER_SECOND`.
Mode: TypeAlias = Literal[
    "healthy",
    "error_500",
    "slow_down",
    "reset",
    "unanswered",
    "hang",
    "slow",
    "original_missing",
    "down",
]

SLOW_BYTES_PER_SECOND: Final = 10_000
_CHUNK_BYTES: Final = 1 << 14
_TIMES_PER_SECOND: Final = 10
_SLOW_BYTES: Final = SLOW_BYTES_PER_SECOND // _TIMES_PER_SECOND
_HOP_BY_HOP: Final = frozenset({"connection", "transfer-encoding", "keep-alive"})
_ERRORS: Final[dict[Mode, tuple[int, str]]] = {
    "error_500": (500, "InternalError"),
    "slow_down": (503, "SlowDown"),
}


class FaultyStore:
    """Stands in front of the store at `upstream`; runs on an event loop of its own."""

    def __init__(self, upstream: str) -> None:
        self.mode: Mode = "healthy"
        self.refused = 0
        self._upstream = upstream
        self._port = 0
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    async def open(self) -> None:
        """Answer from now on, at the same port as before."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=60)
            self._session = aiohttp.ClientSession(auto_decompress=False, timeout=timeout)
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, auto_decompress=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Refuse connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def end(self) -> None:
        """Close for good."""
        self.mode = "healthy"
        await self.close()
        if self._session is not None:
            await self._session.close()

    def mode_of(self, request: web.Request) -> Mode:  # noqa: ARG002 - for those that override it
        """How to behave to this request."""
        return self.mode

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        mode = self.mode_of(request)
        if mode != "healthy":
            self.refused += 1
        if mode == "reset" and (request.content_length or 0) > _CHUNK_BYTES:
            await request.content.readexactly(_CHUNK_BYTES)
            return _hang_up(request)
        body = await _read(request, mode=mode)
        if mode in _ERRORS:
            return _error(*_ERRORS[mode])
        if mode == "hang":
            while self.mode == "hang":
                await asyncio.sleep(1 / _TIMES_PER_SECOND)
            return _hang_up(request)
        if mode == "original_missing" and request.method == "GET":
            return _error(404, "NoSuchKey")
        return await self._pass_on(request, body, mode=mode)

    async def _pass_on(
        self, request: web.Request, body: bytes, *, mode: Mode
    ) -> web.StreamResponse:
        assert self._session is not None
        # As it is: it is part of what was signed.
        url = URL(self._upstream + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if _is_passed(name)}
        # aiohttp warns of large bodies that are not files.
        sent = io.BytesIO(body) if body else None
        async with self._session.request(
            request.method, url, data=sent, headers=headers, allow_redirects=False
        ) as found:
            content = await found.read()
            if mode == "unanswered":
                return _hang_up(request)
            passed = {name: value for name, value in found.headers.items() if _is_passed(name)}
            answer = web.StreamResponse(status=found.status, reason=found.reason, headers=passed)
            await answer.prepare(request)
            if request.method != "HEAD":
                await _send(request, answer, content, mode=mode)
            return answer


async def _read(request: web.Request, *, mode: Mode) -> bytes:
    body = bytearray()
    while part := await request.content.read(_SLOW_BYTES if mode == "slow" else -1):
        body += part
        if mode == "slow":
            await asyncio.sleep(1 / _TIMES_PER_SECOND)
    return bytes(body)


async def _send(
    request: web.Request, answer: web.StreamResponse, content: bytes, *, mode: Mode
) -> None:
    if mode == "reset" and len(content) > _CHUNK_BYTES:
        await answer.write(content[:_CHUNK_BYTES])
        _hang_up(request)
        return
    part = _SLOW_BYTES if mode == "slow" else len(content) or 1
    for start in range(0, len(content), part):
        await answer.write(content[start : start + part])
        if mode == "slow":
            await asyncio.sleep(1 / _TIMES_PER_SECOND)
    await answer.write_eof()


def _hang_up(request: web.Request) -> web.Response:
    """End the connection; the answer goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _is_passed(name: str) -> bool:
    return name.lower() not in _HOP_BY_HOP


def _error(status: int, code: str) -> web.Response:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


class FaultyStoreThread:
    """The same from tests, which are no coroutines."""

    def __init__(self, store: FaultyStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._store.url

    @property
    def refused(self) -> int:
        """How many requests met a fault."""
        return self._store.refused

    def behave(self, mode: Mode) -> None:
        """Behave like this from now on."""
        if (mode == "down") != (self._store.mode == "down"):
            change = self._store.close() if mode == "down" else self._store.open()
            asyncio.run_coroutine_threadsafe(change, self._loop).result(30)
        self._store.mode = mode


@contextmanager
def faulty_store(upstream: str) -> Iterator[FaultyStoreThread]:
    """Run a healthy one until the block ends; tests switch faults on."""
    with run_proxy(FaultyStore(upstream)) as store:
        yield store


@contextmanager
def run_proxy(store: FaultyStore) -> Iterator[FaultyStoreThread]:
    """Run a proxy until the block ends."""
    loop = asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()
    try:
        asyncio.run_coroutine_threadsafe(store.open(), loop).result(30)
        yield FaultyStoreThread(store, loop)
    finally:
        asyncio.run_coroutine_threadsafe(store.end(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        running.join()
        loop.close()
