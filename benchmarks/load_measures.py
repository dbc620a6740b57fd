"""Measures of load tests: photos per second of the whole stack and of the bare pipeline."""

import time
from functools import partial

import anyio
import psycopg

from api.stack.local import LocalStack
from benchmarks.load_clients import Clients, Opened
from benchmarks.load_watch import Watch, watching
from transcoder.processes.pool import RenderPool
from transcoder.rendering import Limits

_SPANS = """
SELECT extract(epoch FROM min(event_recorded_at(state)) FILTER (WHERE topic = 'post.uploaded')),
       extract(epoch FROM max(event_recorded_at(state)) FILTER (WHERE topic = 'post.published')),
       count(*) FILTER (WHERE topic = 'post.published')
FROM post_events WHERE originator_id = ANY (%s::uuid[])
"""


async def photos_per_second(
    stack: LocalStack, clients: Clients, photo: bytes, number: int
) -> tuple[float, Watch]:
    """Photos that lie ready are completed all at once; from the first upload to the last end."""
    opened = [await clients.send(photo) for _ in range(number)]
    with watching(stack) as watch:
        async with anyio.create_task_group() as tasks:
            for one in opened:
                tasks.start_soon(clients.complete, one)
        while (span := published_span(stack, opened))[1] < number:
            await anyio.sleep(0.3)
    return number / span[0], watch


def published_span(stack: LocalStack, opened: list[Opened]) -> tuple[float, int]:
    """Seconds from the first upload to the last publication, and how many there are."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        row = connection.execute(_SPANS, [[one.post_id for one in opened]]).fetchone()
    assert row is not None
    return float((row[1] or 0) - (row[0] or 0)), row[2]


async def bare_photos_per_second(photo: bytes, number: int, *, workers: int) -> float:
    """The pipeline alone, in as many processes as the worker has."""
    pool = RenderPool(size=workers, limits=Limits())
    await pool.warm()
    render = partial(pool.render, photo, content_type="image/jpeg")
    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(render)
    return number / (time.perf_counter() - started)


def cost(watch: Watch) -> str:
    """What each process took, in cores and MB."""
    most = watch.most_megabytes()
    return ", ".join(
        f"{name} {cores:.2f} cores {most[name]:.0f} MB"
        for name, cores in watch.mean_cores().items()
    )
