"""What `nova jobs` prints: a table for people, one JSON line per post for machines."""

from contextlib import aclosing
from uuid import UUID

import typer
from rich.progress import Progress
from rich.table import Table

from api.cli.audit_reports import console, print_json
from api.cli.jobs_desk import JobsDesk
from projections.queries.unfinished import UnfinishedFilter, UnfinishedPost


async def report_posts(desk: JobsDesk, asked: UnfinishedFilter, *, as_json: bool) -> None:
    """List the posts."""
    table = Table(box=None, pad_edge=False)
    for column in ("post", "state", "since", "attempt", "why"):
        table.add_column(column)
    async with aclosing(desk.posts(asked)) as posts:
        async for post in posts:
            if as_json:
                print_json(post)
            else:
                table.add_row(*_cells(post))
    if not as_json:
        console.print(table if table.row_count else "nothing is unfinished")


async def report_post(desk: JobsDesk, post_id: UUID, *, as_json: bool) -> bool:
    """Show one post; False if it is not unfinished."""
    async with aclosing(desk.posts(UnfinishedFilter(post_id=post_id))) as posts:
        async for post in posts:
            if as_json:
                print_json(post)
            else:
                console.print(_details(post), markup=False)
            return True
    typer.echo(f"post {post_id} is not unfinished: nova audit post {post_id} tells more", err=True)
    return False


async def retry_all(desk: JobsDesk, asked: UnfinishedFilter, *, as_json: bool) -> None:
    """Try all of these again, and say how many."""
    retried = 0
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("tried again", total=None)
        async with aclosing(desk.posts(asked)) as posts:
            async for post in posts:
                retried += await desk.retry_in_bulk(post.post_id)
                bar.update(task, completed=retried)
    if as_json:
        print_json({"retried": retried})
    else:
        typer.echo(f"{retried} posts are tried again.")


def _cells(post: UnfinishedPost) -> tuple[str, ...]:
    since = f"{post.since:%Y-%m-%d %H:%M:%S}"
    return (str(post.post_id), post.state, since, str(post.attempts), _why(post))


def _why(post: UnfinishedPost) -> str:
    due = f"next attempt {post.next_attempt_at:%H:%M:%S}" if post.next_attempt_at else None
    return ": ".join(filter(None, (post.code, post.message or due)))


def _details(post: UnfinishedPost) -> str:
    post_id, state, since, attempt, why = _cells(post)
    return (
        f"{post_id} of user {post.user_id}\n"
        f"  state     {state} since {since}\n"
        f"  attempt   {attempt}\n"
        f"  why       {why or '-'}\n"
        f"  history   nova audit post {post_id}"
    )
