"""`nova janitor`: stored objects that nothing needs, listed or removed."""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import typer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from rich.progress import Progress

from api.cli.audit_reports import console, print_json
from transcoder.duties.orphans import find_orphans, remove_orphan
from transcoder.object_store.s3 import open_s3
from transcoder.settings import StorageSettings


async def run_janitor(
    settings: StorageSettings, *, older_than: timedelta, dry_run: bool, as_json: bool
) -> None:
    """List every orphan, and remove each that is removable, unless this is a dry run.

    Raises:
        ObjectStoreUnavailable, psycopg.OperationalError: a server does not answer.
    """
    objects = size = unknown = 0
    before = datetime.now(UTC) - older_than
    connections: AsyncConnectionPool[AsyncConnection[object]] = AsyncConnectionPool(
        settings.database.url, min_size=0, max_size=1, kwargs={"autocommit": True}, open=False
    )
    bar = Progress(console=console, transient=True, disable=as_json or not console.is_terminal)
    async with connections, open_s3(settings.object_store) as store:
        orphans = find_orphans(store, connections, before=before)
        with bar:
            task = bar.add_task("orphans", total=None)
            async with aclosing(orphans):
                async for orphan in orphans:
                    is_to_go = orphan.is_removable and not dry_run
                    if is_to_go and not await remove_orphan(orphan, store, connections):
                        continue
                    if orphan.is_removable:
                        objects, size = objects + 1, size + orphan.file_size
                    unknown += not orphan.is_removable
                    bar.update(task, completed=objects)
                    if as_json:
                        print_json(orphan)
                    else:
                        console.print(f"{orphan.why:15} {orphan.key}", markup=False)
    if as_json:
        print_json({"objects": objects, "bytes": size, "unknown": unknown, "removed": not dry_run})
        return
    done = "would be removed" if dry_run else "were removed"
    typer.echo(f"{objects:,} objects of {size:,} bytes {done}.")
    if unknown:
        typer.echo(
            f"{unknown:,} objects of posts that this database does not know were left alone: "
            "is it the right one, and has it been restored from a backup?"
        )
