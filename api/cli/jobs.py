"""`nova jobs`: the work on posts that are not published."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final, TypeVar
from uuid import UUID, uuid4

import anyio
import typer
from anyio import CapacityLimiter
from psycopg import AsyncConnection

from api.cli.errors import EXIT_WRONG, friendly_errors
from api.cli.options import AsJson, Since
from api.cli.output import print_json, print_table, quantity
from api.cli.progress import show_progress
from api.cli.session import cli_actor, run_on_database
from domain.commands import Origin, origin_of_request
from domain.errors import PostNotFailed, PostNotFound
from domain.event_store.publishing import Publishing
from projections.connection import connected
from projections.queries.unfinished import State, UnfinishedFilter, UnfinishedPost, unfinished_posts
from projections.settings import database_settings
from transcoder.async_publishing import AsyncPublishing
from transcoder.jobs.interventions import cancel_post, retry_post

_T = TypeVar("_T")
PAGE: Final = 200
APPEND_WITHIN_SECONDS: Final = 60.0

Code = Annotated[str | None, typer.Option(help="Only failures with this code.", metavar="TEXT")]
PostId = Annotated[UUID, typer.Argument(help="Id of the post.", metavar="POST_ID")]


@friendly_errors()
def list_jobs(
    state: Annotated[State | None, typer.Option(help="Only posts in this state.")] = None,
    since: Since = None,
    code: Code = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List unfinished posts, oldest first, with attempt and failure."""
    chosen = UnfinishedFilter(state=state, since=since, code=code)
    found = run_on_database(partial(_list, chosen=chosen, as_json=as_json))
    if found:
        columns = ("post", "state", "since", "attempt", "failure")
        print_table(columns, [_cells(post) for post in found])
    elif not as_json:
        typer.echo("No unfinished posts.")


@friendly_errors()
def show(post_id: PostId, *, as_json: AsJson = False) -> None:
    """Show one unfinished post. Exits 1 if the post is finished or unknown."""
    chosen = UnfinishedFilter(post_id=post_id)
    found = run_on_database(lambda connection: unfinished_posts(connection, chosen, limit=1))
    if not found:
        post = _run_on_event_store(lambda _, publishing: publishing.post(post_id))
        typer.echo(f"nova: post {post_id} is {post.status}, see nova audit post", err=True)
        raise typer.Exit(EXIT_WRONG)
    if as_json:
        print_json(found[0])
    else:
        typer.echo(_details(found[0]))


@friendly_errors()
def retry(
    post_id: Annotated[
        UUID | None, typer.Argument(help="Id of the post.", metavar="POST_ID")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Retry all failed posts.")] = False,
    since: Since = None,
    code: Code = None,
    as_json: AsJson = False,
) -> None:
    """Retry a failed post, or all of them at low priority with --failed."""
    if (post_id is None) != failed:
        raise typer.BadParameter("give a post id or --failed")
    if post_id is not None:
        _run_on_event_store(
            lambda _, publishing: retry_post(publishing, post_id, origin=_origin(publishing))
        )
        typer.echo(f"Retrying post {post_id}.")
        return
    # Posts that fail again meanwhile are not retried twice.
    chosen = UnfinishedFilter(state="failed", since=since, until=datetime.now(UTC), code=code)
    retried = _run_on_event_store(partial(_retry_all, chosen=chosen, as_json=as_json))
    if as_json:
        print_json({"retried": retried})
    else:
        typer.echo(f"Retrying {quantity(retried, 'post')}.")


@friendly_errors()
def cancel(post_id: PostId) -> None:
    """Cancel a queued or running post. It is marked failed and can be retried."""

    async def run(connection: AsyncConnection[object], publishing: AsyncPublishing) -> bool:
        chosen = UnfinishedFilter(post_id=post_id)
        found = await unfinished_posts(connection, chosen, limit=1)
        attempt = sum(post.attempts for post in found)
        return await cancel_post(
            connection, publishing, post_id, origin=_origin(publishing), attempt=attempt
        )

    if not _run_on_event_store(run):
        typer.echo(f"nova: post {post_id} is neither queued nor running", err=True)
        raise typer.Exit(EXIT_WRONG)
    typer.echo(f"Cancelled post {post_id}.")


async def _list(
    connection: AsyncConnection[object], *, chosen: UnfinishedFilter, as_json: bool
) -> list[UnfinishedPost]:
    """Print JSON lines as they come, or return what belongs into one table."""
    found = []
    async with aclosing(_pages(connection, chosen)) as posts:
        async for post in posts:
            if as_json:
                print_json(post)
            else:
                found.append(post)
    return found


async def _retry_all(
    connection: AsyncConnection[object],
    publishing: AsyncPublishing,
    *,
    chosen: UnfinishedFilter,
    as_json: bool,
) -> int:
    retried = 0
    with show_progress("retrying", unit="posts", as_json=as_json) as progress:
        async with aclosing(_pages(connection, chosen)) as posts:
            async for post in posts:
                try:
                    await retry_post(
                        publishing, post.post_id, origin=_origin(publishing), lane="bulk"
                    )
                except (PostNotFound, PostNotFailed):
                    continue
                retried += 1
                progress.update(retried)
    return retried


async def _pages(
    connection: AsyncConnection[object], chosen: UnfinishedFilter
) -> AsyncGenerator[UnfinishedPost]:
    page = await unfinished_posts(connection, chosen, limit=PAGE)
    while page:
        for post in page:
            yield post
        page = await unfinished_posts(connection, chosen, limit=PAGE, after=page[-1])


def _run_on_event_store(
    run: Callable[[AsyncConnection[object], AsyncPublishing], Awaitable[_T]],
) -> _T:
    async def open_and_run(url: str) -> _T:
        async with connected(url) as connection:
            with Publishing(url, pool_size=1) as publishing:
                limiter = CapacityLimiter(1)
                writer = AsyncPublishing(
                    publishing, limiter=limiter, timeout_seconds=APPEND_WITHIN_SECONDS
                )
                return await run(connection, writer)

    return anyio.run(open_and_run, database_settings().session_url)


def _origin(publishing: AsyncPublishing) -> Origin:
    return origin_of_request(actor=cli_actor(), at=publishing.now(), correlation_id=uuid4())


def _cells(post: UnfinishedPost) -> tuple[str, ...]:
    since = f"{post.since:%Y-%m-%d %H:%M:%S}"
    return (str(post.post_id), post.state, since, str(post.attempts), _failure(post))


def _failure(post: UnfinishedPost) -> str:
    due = f"next attempt {post.next_attempt_at:%H:%M:%S}" if post.next_attempt_at else None
    return ": ".join(filter(None, (post.code, post.message or due)))


def _details(post: UnfinishedPost) -> str:
    post_id, state, since, attempt, failure = _cells(post)
    return (
        f"{post_id}\n"
        f"  user      {post.user_id}\n"
        f"  state     {state} since {since}\n"
        f"  attempt   {attempt}\n"
        f"  failure   {failure or '-'}\n"
        f"  history   nova audit post {post_id}"
    )
