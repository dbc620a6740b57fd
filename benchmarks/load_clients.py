"""Clients for load tests: they say what apps say, and note how long each answer took."""

import hashlib
import io
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import quantiles
from typing import Any, Final
from uuid import uuid4

import aiohttp
import anyio
from msgspec import Struct

from api.http.authentication.tokens import create_token
from api.http.authentication.users import User
from api.stack.local import LocalStack

OPEN_CONNECTIONS: Final = 200
FINAL_WITHIN_SECONDS: Final = 300
BUSY: Final = (429, 503)
# So much that no photo is sent away: one user may fill a tenth of the queue.
ROOM: Final = 10_000
# What a client is told at once to bring later is no accepted photo, however quick the answer.
REFUSED: Final = "refused"


class Opened(Struct, frozen=True):
    """A photo that was announced."""

    post_id: str
    url: str
    headers: dict[str, str]
    token: str


class Clients:
    """Apps of one user on one connection pool.

    `seconds` holds the times of accepted answers by request, and of all others under `REFUSED`.
    """

    def __init__(self, http: aiohttp.ClientSession, *, api: str, token: str) -> None:
        self._http = http
        self._api = api
        self._token = token
        self._headers = {"Authorization": f"Bearer {token}"}
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def at(self, api: str) -> "Clients":
        """The same clients of something else."""
        return Clients(self._http, api=api, token=self._token)

    async def send(self, photo: bytes) -> Opened:
        """Announce a photo and send it to the object store."""
        announced = {
            "filename": "load.jpg",
            "content_type": "image/jpeg",
            "file_size": len(photo),
            "sha256": hashlib.sha256(photo).hexdigest(),
        }
        _, said = await self._ask("init", "POST", "/posts/upload/init", announced)
        opened = Opened(
            said["post_id"], said["presigned_url"], said["upload_headers"], said["upload_token"]
        )
        started = time.perf_counter()
        async with self._http.put(
            opened.url, data=io.BytesIO(photo), headers=opened.headers
        ) as answer:
            answer.raise_for_status()
        self._note("put", since=started)
        return opened

    async def complete(self, opened: Opened) -> None:
        """Say that it is there, as often as it is answered that there is no room yet."""
        said = {"post_id": opened.post_id, "upload_token": opened.token}
        while True:
            status, _ = await self._ask("complete", "POST", "/posts/upload/complete", said)
            if status not in BUSY:
                return
            await anyio.sleep(1.0)

    async def read(self, post_id: str) -> dict[str, Any]:
        """The post as it is now."""
        _, post = await self._ask("get", "GET", f"/posts/{post_id}")
        return post

    async def final(self, post_id: str, *, every_seconds: float = 0.01) -> dict[str, Any]:
        """The post when it is published or has failed."""
        with anyio.fail_after(FINAL_WITHIN_SECONDS):
            while (post := await self.read(post_id))["status"] == "processing":
                await anyio.sleep(every_seconds)
        return post

    async def _ask(
        self, name: str, method: str, path: str, content: object = None
    ) -> tuple[int, dict[str, Any]]:
        started = time.perf_counter()
        async with self._http.request(
            method, self._api + path, json=content, headers=self._headers
        ) as answer:
            said = await answer.json(content_type=None)
        self._note(name if answer.ok else REFUSED, since=started)
        if not answer.ok and answer.status not in BUSY:
            raise AssertionError(said)
        return answer.status, said

    def _note(self, name: str, *, since: float) -> None:
        self.seconds[name].append(time.perf_counter() - since)


@asynccontextmanager
async def clients_of(stack: LocalStack) -> AsyncIterator[Clients]:
    """Clients with connections of their own."""
    connector = aiohttp.TCPConnector(limit=OPEN_CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        token = create_token(stack.environ["JWT_SECRET"], User(id=uuid4(), role="user"))
        yield Clients(http, api=f"{stack.url}/api/v1", token=token)


def percentiles(seconds: list[float]) -> str:
    """The middle and the tail, in milliseconds."""
    if len(seconds) < 2:
        return f"{len(seconds)} times"
    cuts = quantiles(seconds, n=100, method="inclusive")
    return (
        f"{len(seconds)} times, p50 {1000 * cuts[49]:.1f}, p90 {1000 * cuts[89]:.1f}, "
        f"p99 {1000 * cuts[98]:.1f}, max {1000 * max(seconds):.1f} ms"
    )


def p99(seconds: list[float]) -> float:
    """The time that one of a hundred exceeds."""
    return quantiles([*seconds, *seconds], n=100, method="inclusive")[98]
