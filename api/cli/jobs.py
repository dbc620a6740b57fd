"""`nova jobs`: the verbs of operators for posts that wait, run or have failed.

Every verb loads only what it needs, when it runs.
"""
# ruff: noqa: PLC0415 - as the first lines say

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.audit import AsJson, Since
from api.cli.explained import explained

if TYPE_CHECKING:
    from api.cli.jobs_desk import JobsDesk

jobs_app = typer.Typer(
    name="jobs",
    help="See, retry and cancel the work on posts that are not published.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class StateName(StrEnum):
    """How a post can be unfinished."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    FORGOTTEN = "forgotten"


Code = Annotated[str | None, typer.Option(help="Only failures with this code.")]


@jobs_app.command("list")
def list_jobs(
    state: Annotated[StateName | None, typer.Option(help="Only these.")] = None,
    since: Since = None,
    code: Code = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List unfinished posts, oldest first: why, which attempt; with --json one line for each."""
    from api.cli.jobs_reports import report_posts
    from projections.queries.unfinished import UnfinishedFilter

    asked = UnfinishedFilter(state=state.value if state else None, since=since, code=code)
    _at_the_desk(lambda desk: report_posts(desk, asked, as_json=as_json))


@jobs_app.command()
def show(
    post_id: Annotated[UUID, typer.Argument(help="Which post.")], *, as_json: AsJson = False
) -> None:
    """Show one unfinished post; exit code 1 if it is not unfinished."""
    from api.cli.jobs_reports import report_post

    shown: list[bool] = []

    async def look(desk: "JobsDesk") -> None:
        shown.append(await report_post(desk, post_id, as_json=as_json))

    _at_the_desk(look)
    raise typer.Exit(0 if all(shown) else 1)


@jobs_app.command()
def retry(
    post_id: Annotated[UUID | None, typer.Argument(help="Which post.")] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All that have failed.")] = False,
    since: Since = None,
    code: Code = None,
    as_json: AsJson = False,
) -> None:
    """Try a failed post once more, or with --failed all of them, behind live posts."""
    from api.cli.jobs_reports import retry_all
    from projections.queries.unfinished import UnfinishedFilter

    if (post_id is None) != failed:
        raise typer.BadParameter("name one post, or say --failed")
    if post_id is not None:
        chosen = post_id
        _at_the_desk(lambda desk: desk.retry(chosen))
        typer.echo(f"Post {post_id} is tried again.")
        return
    # Those that fail again meanwhile are not tried a second time.
    now = datetime.now(UTC)
    asked = UnfinishedFilter(state="failed", since=since, until=now, code=code)
    _at_the_desk(lambda desk: retry_all(desk, asked, as_json=as_json))


@jobs_app.command()
def cancel(post_id: Annotated[UUID, typer.Argument(help="Which post.")]) -> None:
    """Take a post that waits or runs out of the queue: it ends as failed, and can be retried."""
    cancelled: list[bool] = []

    async def take_out(desk: "JobsDesk") -> None:
        cancelled.append(await desk.cancel(post_id))

    _at_the_desk(take_out)
    if not all(cancelled):
        typer.echo(f"nova: post {post_id} neither waits nor runs", err=True)
        raise typer.Exit(1)
    typer.echo(f"Post {post_id} is not worked on any more.")


def _at_the_desk(ask: "Callable[[JobsDesk], Awaitable[None]]") -> None:
    import anyio

    from api.cli.jobs_desk import open_jobs_desk
    from projections.settings import database_settings

    async def sit_and_ask(url: str) -> None:
        async with open_jobs_desk(url) as desk:
            await ask(desk)

    with explained():
        anyio.run(sit_and_ask, database_settings().url)
