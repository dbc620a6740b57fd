"""Publishing under load: photos from their announcement until they are published."""

import time
from typing import Final

import anyio

from benchmarks.load_clients import Clients

# As apps do; more often, reading would be most of the load.
ASK_AGAIN_SECONDS: Final = 0.25


async def publish_side_by_side(
    clients: Clients, photo: bytes, people: int, *, seconds: float
) -> float:
    """Photo after photo of each; what begins within `seconds` is published. How long it took."""
    began = anyio.current_time()

    async def keep_publishing() -> None:
        while anyio.current_time() < began + seconds:
            await publish_one(clients, photo)

    async with anyio.create_task_group() as tasks:
        for _ in range(people):
            tasks.start_soon(keep_publishing)
    return anyio.current_time() - began


async def publish_one(clients: Clients, photo: bytes) -> None:
    """One photo, from its announcement until it is published."""
    opened = await clients.send(photo)
    started = time.perf_counter()
    await clients.complete(opened)
    post = await clients.final(opened.post_id, every_seconds=ASK_AGAIN_SECONDS)
    assert post["status"] == "published", post
    clients.seconds["published"].append(time.perf_counter() - started)
