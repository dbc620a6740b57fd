"""`nova janitor`: stored objects that no event refers to, listed or removed."""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import anyio
import typer
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.cli.errors import friendly_errors
from api.cli.options import AsJson
from api.cli.output import console, print_json, quantity
from api.cli.progress import show_progress
from transcoder.duties.orphans import Orphan, find_orphans, remove_orphan
from transcoder.object_store.s3 import open_s3
from transcoder.settings import StorageSettings, storage_settings


class Cleaned(Struct, kw_only=True):
    """What a run found: removable objects with their bytes, and objects of unknown posts."""

    objects: int = 0
    bytes: int = 0
    unknown: int = 0
    removed: bool

    def add(self, orphan: Orphan) -> None:
        """Count one."""
        if orphan.is_removable:
            self.objects += 1
            self.bytes += orphan.file_size
        else:
            self.unknown += 1


@friendly_errors()
def janitor(
    older_than: Annotated[
        int, typer.Option(min=1, help="Minimum age of objects in hours.", metavar="N")
    ] = 24,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List, remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove stored objects that no event refers to. A worker does so every night."""
    age = timedelta(hours=older_than)
    clean = partial(_clean, storage_settings(), older_than=age, dry_run=dry_run, as_json=as_json)
    cleaned = anyio.run(clean)
    if as_json:
        print_json(cleaned)
        return
    verb = "Would remove" if dry_run else "Removed"
    console.print(f"{verb} {quantity(cleaned.objects, 'object')} ({cleaned.bytes:,} bytes).")
    if cleaned.unknown:
        console.print(
            f"Kept {quantity(cleaned.unknown, 'object')} of posts that are not in this database. "
            "After a restore from a backup, nova uploads adopt publishes their photos."
        )


async def _clean(
    settings: StorageSettings, *, older_than: timedelta, dry_run: bool, as_json: bool
) -> Cleaned:
    cleaned = Cleaned(removed=not dry_run)
    before = datetime.now(UTC) - older_than
    connections: AsyncConnectionPool[AsyncConnection[object]] = AsyncConnectionPool(
        settings.database.session_url,
        min_size=0,
        max_size=1,
        kwargs={"autocommit": True},
        open=False,
    )
    async with connections, open_s3(settings.object_store) as store:
        orphans = find_orphans(store, connections, before=before)
        with show_progress("orphans", unit="objects", as_json=as_json) as progress:
            async with aclosing(orphans):
                async for orphan in orphans:
                    is_to_go = orphan.is_removable and not dry_run
                    if is_to_go and not await remove_orphan(orphan, store, connections):
                        continue
                    cleaned.add(orphan)
                    progress.update(cleaned.objects)
                    _print(orphan, as_json=as_json)
    return cleaned


def _print(orphan: Orphan, *, as_json: bool) -> None:
    if as_json:
        print_json(orphan)
    else:
        console.print(f"{orphan.why:15} {orphan.key}", markup=False)
