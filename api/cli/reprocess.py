"""`nova reprocess`: published posts through today's recipes, behind everything live.

It feeds the bulk lane a few posts at a time. Whatever ends it, running it again goes on: only posts
of older recipes are picked.
"""

from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

import anyio
import typer
from msgspec import Struct
from psycopg import AsyncConnection
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.audit_reports import console, print_json
from domain.jobs import BULK_QUEUE
from projections.connection import CONNECT_TIMEOUT_SECONDS
from projections.log.reading import head_position
from projections.queries.outdated import (
    OutdatedPost,
    PublishedFilter,
    count_published,
    find_outdated,
    reprocess_outcomes,
)
from transcoder.queue.depth import queue_depth
from transcoder.queue.lanes import lanes_alive
from transcoder.queue.reprocessing import enqueue_reprocessing, jobs_of_run

# Enough to keep every worker busy, and little to wait for after Ctrl-C.
MOST_WAITING: Final = 50
LOOK_AGAIN_SECONDS: Final = 0.25
LINE_EVERY_SECONDS: Final = 5.0


class Reprocessed(Struct, frozen=True, kw_only=True):
    """What a run did: posts looked at, made again, and those that could not be."""

    run_id: UUID
    looked_at: int
    reprocessed: int
    not_reprocessed: int


async def run_reprocess(
    url: str, asked: PublishedFilter, *, recipe_version: int, as_json: bool
) -> bool:
    """Make the variants of outdated posts again; whether all that were picked could be.

    Raises:
        psycopg.OperationalError: the database does not answer.
    """
    async with await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
    ) as connection:
        await connection.execute("SET TIME ZONE 'UTC'")
        run = _Run(connection, as_json=as_json)
        with run.progress:
            await run.feed(asked, recipe_version=recipe_version)
            await run.wait()
        return await run.report()


class _Run:
    def __init__(self, connection: AsyncConnection[object], *, as_json: bool) -> None:
        self._connection = connection
        self._as_json = as_json
        self._id = uuid4()
        self._position = self._looked_at = self._queued = 0
        self._said = anyio.current_time()
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=as_json or not console.is_terminal,
        )
        self._task = self.progress.add_task("looking", total=None)

    async def feed(self, asked: PublishedFilter, *, recipe_version: int) -> None:
        """Queue every outdated post, a few at a time."""
        self._position = await head_position(self._connection)
        total = await count_published(self._connection, asked)
        self.progress.update(self._task, total=total, description="reprocessing")
        pages = find_outdated(self._connection, asked, recipe_version=recipe_version)
        async with aclosing(pages):
            async for page in pages:
                for post in page.outdated:
                    await self._queue_one(post)
                self._looked_at += page.posts
                await self._show()

    async def _queue_one(self, post: OutdatedPost) -> None:
        while (await queue_depth(self._connection, BULK_QUEUE)).waiting >= MOST_WAITING:
            await self._show()
            await anyio.sleep(LOOK_AGAIN_SECONDS)
        self._queued += 1
        await enqueue_reprocessing(
            self._connection, post_id=post.post_id, user_id=post.user_id, run_id=self._id
        )

    async def wait(self) -> None:
        """Wait until every job of this run has ended."""
        while await jobs_of_run(self._connection, self._id):
            await self._show()
            await anyio.sleep(LOOK_AGAIN_SECONDS)

    async def report(self) -> bool:
        """Say what was done; whether everything could be."""
        ended = await reprocess_outcomes(self._connection, self._id, position=self._position)
        failed = [renewal for renewal in ended if renewal.code is not None]
        for renewal in failed:
            if self._as_json:
                print_json(renewal)
            else:
                console.print(f"{renewal.post_id}  {renewal.code}: {renewal.message}", markup=False)
        done = Reprocessed(
            run_id=self._id,
            looked_at=self._looked_at,
            reprocessed=len(ended) - len(failed),
            not_reprocessed=len(failed),
        )
        if self._as_json:
            print_json(done)
        else:
            typer.echo(
                f"{done.reprocessed} of {done.looked_at} published posts were made again; "
                f"{done.not_reprocessed} could not be and stay as they are."
            )
        return not failed

    async def _show(self) -> None:
        self.progress.update(self._task, completed=self._looked_at)
        if self._as_json or anyio.current_time() - self._said < LINE_EVERY_SECONDS:
            return
        self._said = anyio.current_time()
        idle = "" if await lanes_alive(self._connection) else "; no worker is running"
        self.progress.update(self._task, description=f"reprocessing{idle}")
        if self.progress.disable:
            now = f"{datetime.now(UTC):%H:%M:%S}"
            told = f"{now} looked at {self._looked_at:,}, queued {self._queued:,}{idle}"
            typer.echo(told, err=True)
