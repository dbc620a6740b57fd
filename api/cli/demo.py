"""`nova demo`: publishes photos on a real stack and shows every event as it happens."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import anyio
import httpx
import typer
from psycopg import AsyncConnection
from rich.markup import escape

from api.cli.client import TIMEOUT_SECONDS, Client, Photo, Refused, read_photo
from api.cli.demo_waits import (
    LOOK_AGAIN_SECONDS,
    ReadTablesStopped,
    read_when_final,
    wait_for_worker,
)
from api.cli.errors import friendly_errors
from api.cli.foreground import foreground_stack
from api.cli.options import DEFAULT_FOLDER, Data
from api.cli.output import console, print_table
from api.http.authentication.tokens import create_development_token
from api.http.authentication.users import User
from api.http.schemas.posts import PostView
from api.http.schemas.uploads import UploadOpened
from api.stack.addresses import LOOPBACK, host_of
from api.stack.local import LocalStack
from domain.events import Event, PostDeleted, PostFailed, PostPublished, VariantReady, topic_of
from projections.connection import connected
from projections.log.reading import decode_log, head_position, read_log

GIVE_UP_SECONDS: Final = 300
BATCH_EVENTS: Final = 100


@friendly_errors()
def demo(
    photos: Annotated[
        list[Path] | None,
        typer.Argument(
            exists=True, dir_okay=False, help="Photos. One is drawn by default.", metavar="PHOTO..."
        ),
    ] = None,
    folder: Data = DEFAULT_FOLDER,
) -> None:
    """Publish photos on a local stack and show every event as it happens."""
    all_published = anyio.run(run_demo, photos or [], folder)
    raise typer.Exit(0 if all_published else 1)


async def run_demo(photos: list[Path], folder: Path) -> bool:
    """Publish each photo in turn; true only if all were published.

    Raises:
        StackError: the stack did not start; the message says what to do.
        KeyboardInterrupt: the demo was interrupted; everything was stopped.
    """
    outcome: list[bool] = []
    since = datetime.now(UTC)
    async with foreground_stack(folder, port=None) as stack:
        outcome.append(await _publish_all(photos or [await _make_photo(stack)], stack, since=since))
    if not outcome:
        raise KeyboardInterrupt
    return outcome[0]


async def _publish_all(photos: list[Path], stack: LocalStack, *, since: datetime) -> bool:
    user = User(id=uuid4(), role="user")
    token = create_development_token(stack.environ, user)
    output = stack.folder / "demo" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    published = 0
    async with (
        httpx.AsyncClient(
            base_url=stack.url, timeout=TIMEOUT_SECONDS, mounts=_without_proxy(stack)
        ) as http,
        connected(stack.environ["DATABASE_URL"]) as log,
    ):
        client = Client(http, token=token)
        # Or else the first photo would wait for the start of the image processes.
        await wait_for_worker(stack, log, since=since)
        for number, path in enumerate(photos, start=1):
            published += await _publish(path, client, log=log, output=output / f"{number:02}")
    _summarise(published, len(photos), stack=stack, output=output)
    return published == len(photos)


def _without_proxy(stack: LocalStack) -> dict[str, None]:
    """Reach this machine directly, at all of its addresses."""
    hosts = {LOOPBACK, *(host_of(url) for url in (stack.url, stack.public_url) if url)}
    return {f"all://{host}": None for host in hosts}


async def _publish(
    path: Path, client: Client, *, log: AsyncConnection[object], output: Path
) -> bool:
    photo = read_photo(path)
    announced = f"{photo.content_type}, {len(photo.content):,} bytes"
    console.print(f"\n[bold]{escape(photo.filename)}[/bold]  {announced}")
    try:
        with anyio.fail_after(GIVE_UP_SECONDS):
            post, seconds = await _send_and_follow(photo, client, log=log)
            if post.status != "published":
                return False
            await _save_variants(post, client, folder=output / path.stem)
    except Refused as refused:
        console.print(f"  [red]refused[/red]  {escape(str(refused))}")
        return False
    except ReadTablesStopped as stopped:
        console.print(f"  [red]gave up[/red]  {escape(str(stopped))}")
        return False
    except (httpx.HTTPError, TimeoutError) as error:
        console.print(f"  [red]gave up[/red]  {type(error).__name__} {escape(str(error))}")
        return False
    _print_variants(post)
    console.print(f"  [green]published {seconds:.2f} s after complete[/green]")
    return True


async def _send_and_follow(
    photo: Photo, client: Client, *, log: AsyncConnection[object]
) -> tuple[PostView, float]:
    position = await head_position(log)
    upload = await client.open_upload(photo, caption=photo.filename)
    await client.send(upload, photo)
    completed_at = datetime.now(UTC)
    await client.complete(upload)
    ended_at = await _show_events(upload, log, position=position)
    post = await read_when_final(upload.post_id, client, log)
    return post, (ended_at - completed_at).total_seconds()


async def _show_events(
    upload: UploadOpened, log: AsyncConnection[object], *, position: int
) -> datetime:
    """Show the events of one post until it is final; returns the time of the last one."""
    while True:
        for logged in decode_log(await read_log(log, position, limit=BATCH_EVENTS)):
            position, event = logged.position, logged.event
            if event.post_id != upload.post_id:
                continue
            line = f"  {_clock(event.recorded_at)}  {topic_of(event):20} {_details(event)}"
            console.print(line.rstrip())
            if isinstance(event, PostPublished | PostFailed | PostDeleted):
                return event.recorded_at
        await anyio.sleep(LOOK_AGAIN_SECONDS)


async def _save_variants(post: PostView, client: Client, *, folder: Path) -> None:
    target = anyio.Path(folder)
    await target.mkdir(parents=True, exist_ok=True)
    for name, image in post.images.items():
        await (target / f"{name}.jpg").write_bytes(await client.download(image.url))


async def _make_photo(stack: LocalStack) -> Path:
    """A 12-megapixel picture, drawn in a child process so that this one never loads libvips."""
    path = stack.folder / "demo" / "sample-12-megapixel.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    await anyio.run_process([sys.executable, "-m", "transcoder.sample", str(path)])
    return path


def _details(event: Event) -> str:
    match event:
        case VariantReady(variant=made):
            size = f"{made.width} × {made.height}, {made.file_size:,} bytes"
            return f"{made.name}: {size}, q{made.quality}, {made.milliseconds:.0f} ms"
        case PostFailed():
            where = f" in {event.stage}" if event.stage else ""
            return f"[red]{escape(event.message)}[/red] ({event.code}{where})"
        case _:
            return ""


def _print_variants(post: PostView) -> None:
    images = sorted(post.images.items(), key=lambda item: item[1].file_size)
    rows = [
        (name, f"{image.width} × {image.height}", f"{image.file_size:,}") for name, image in images
    ]
    # No URLs: they end with the demo.
    print_table(("variant", "size", "bytes"), rows)


def _summarise(published: int, photos: int, *, stack: LocalStack, output: Path) -> None:
    colour = "green" if published == photos else "red"
    console.print(f"\n[{colour}]{published} of {photos} photos published.[/{colour}]")
    if published:
        console.print(f"Variants saved to {output}")
    console.print(f"To read the posts through the API, run: nova dev --data {stack.folder}")


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
