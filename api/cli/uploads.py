"""`nova uploads`: originals in the bucket that a restored log does not know."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated, Final
from uuid import UUID, uuid4

import anyio
import typer
from anyio import CapacityLimiter
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.cli.errors import EXIT_WRONG, friendly_errors
from api.cli.options import AsJson
from api.cli.output import console, print_json, print_table, quantity
from api.cli.progress import show_progress
from api.cli.session import cli_actor
from domain.commands import origin_of_request
from domain.event_store.publishing import Publishing
from transcoder.async_publishing import AsyncPublishing
from transcoder.duties.unknown_originals import (
    Obstacle,
    UnknownOriginal,
    adopt_original,
    find_unknown_originals,
)
from transcoder.object_store.s3 import open_s3
from transcoder.settings import StorageSettings, storage_settings

APPEND_WITHIN_SECONDS: Final = 60.0


class Found(Struct, frozen=True, kw_only=True):
    """An unknown original, whether it was adopted, and why not."""

    post_id: UUID
    user_id: UUID | None
    content_type: str
    file_size: int
    obstacle: Obstacle | None
    adopted: bool


class Adopted(Struct, kw_only=True):
    """What a run found: originals that have or would become posts, and those that cannot."""

    originals: int = 0
    bytes: int = 0
    no_owner: int = 0
    not_a_photo: int = 0
    dry_run: bool

    def add(self, found: Found) -> None:
        """Count one."""
        if found.obstacle == "no_owner":
            self.no_owner += 1
        elif found.obstacle == "not_a_photo":
            self.not_a_photo += 1
        elif found.adopted or self.dry_run:
            self.originals += 1
            self.bytes += found.file_size


@friendly_errors()
def adopt(
    user: Annotated[
        UUID | None,
        typer.Option(help="Owner of originals whose owner is not stored with them.", metavar="ID"),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List, adopt nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish originals that a restored log does not know. Exits 1 if one cannot be adopted."""
    run = partial(_adopt, storage_settings(), owner=user, dry_run=dry_run, as_json=as_json)
    found, adopted = anyio.run(run)
    if as_json:
        print_json(adopted)
    else:
        _print(found, adopted)
    raise typer.Exit(EXIT_WRONG if adopted.no_owner or adopted.not_a_photo else 0)


async def _adopt(
    settings: StorageSettings, *, owner: UUID | None, dry_run: bool, as_json: bool
) -> tuple[list[Found], Adopted]:
    """Print JSON lines as they come, or return what belongs into one table."""
    found, adopted = [], Adopted(dry_run=dry_run)
    with show_progress("adopting", unit="originals", as_json=as_json) as progress:
        async with aclosing(_originals(settings, owner=owner, dry_run=dry_run)) as originals:
            async for each in originals:
                adopted.add(each)
                progress.update(adopted.originals)
                if as_json:
                    print_json(each)
                else:
                    found.append(each)
    return found, adopted


async def _originals(
    settings: StorageSettings, *, owner: UUID | None, dry_run: bool
) -> AsyncGenerator[Found]:
    url = settings.database.session_url
    connections: AsyncConnectionPool[AsyncConnection[object]] = AsyncConnectionPool(
        url, min_size=0, max_size=1, kwargs={"autocommit": True}, open=False
    )
    with Publishing(url, pool_size=1) as blocking:
        publishing = AsyncPublishing(
            blocking, limiter=CapacityLimiter(1), timeout_seconds=APPEND_WITHIN_SECONDS
        )
        async with connections, open_s3(settings.object_store) as store:
            unknown = find_unknown_originals(store, connections, owner=owner)
            async with aclosing(unknown):
                async for original in unknown:
                    origin = origin_of_request(
                        actor=cli_actor(), at=publishing.now(), correlation_id=uuid4()
                    )
                    is_adopted = not dry_run and await adopt_original(
                        original, store, publishing, origin=origin
                    )
                    yield _found(original, adopted=is_adopted)


def _found(original: UnknownOriginal, *, adopted: bool) -> Found:
    return Found(
        post_id=original.post_id,
        user_id=original.user_id,
        content_type=original.content_type,
        file_size=original.file_size,
        obstacle=original.obstacle,
        adopted=adopted,
    )


def _print(found: list[Found], adopted: Adopted) -> None:
    verb = "Would adopt" if adopted.dry_run else "Adopted"
    console.print(f"{verb} {quantity(adopted.originals, 'original')} ({adopted.bytes:,} bytes).")
    if adopted.no_owner:
        console.print(
            f"The owner of {quantity(adopted.no_owner, 'original')} is not known: --user names one."
        )
    if adopted.not_a_photo:
        console.print(f"{quantity(adopted.not_a_photo, 'object')} cannot be photos by their type.")
    if found:
        columns = ("post", "owner", "type", "bytes", "obstacle")
        print_table(columns, [_cells(each) for each in found])


def _cells(each: Found) -> tuple[str, ...]:
    owner = str(each.user_id) if each.user_id else "-"
    size = f"{each.file_size:,}"
    return (str(each.post_id), owner, each.content_type, size, each.obstacle or "")
