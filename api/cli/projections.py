"""`nova projections`: the verbs of operators who watch, check and rebuild the read tables.

Every verb loads only what it needs, when it runs.
"""
# ruff: noqa: PLC0415 - as the first lines say

import getpass
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from projections.follow.projection import Projection

projections_app = typer.Typer(
    name="projections",
    help="Watch, check and rebuild the read tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

EXIT_WRONG_SETTINGS = 2
EXIT_INTERRUPTED = 130
DEFAULT_BATCH = 5000
DEFAULT_WORKERS = min(4, os.cpu_count() or 1)

T = TypeVar("T")
Name = Annotated[str, typer.Argument(help="The projection.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that share the work.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for machines.")]


@projections_app.command("list")
def list_projections(*, as_json: AsJson = False) -> None:
    """List the projections and how far they are."""
    from api.cli.projections_reports import report_list
    from projections.follow.projection import PROJECTIONS
    from projections.follow.status import statuses

    report_list(_ask(partial(statuses, projections=PROJECTIONS.values())), as_json=as_json)


@projections_app.command()
def status(*, as_json: AsJson = False) -> None:
    """Show position, lag, rate, runner and last error; exit code 1 if one is stopped."""
    from api.cli.projections_reports import report_statuses
    from projections.follow.projection import PROJECTIONS
    from projections.follow.status import measured_statuses

    found = _ask(partial(measured_statuses, projections=PROJECTIONS.values()))
    report_statuses(found, as_json=as_json)
    raise typer.Exit(1 if any(one.stopped_at for one in found) else 0)


@projections_app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="The projection; all without it.")] = None,
    workers: Workers = DEFAULT_WORKERS,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare the live tables with the log at one position; exit code 1 if they differ."""
    from api.cli.projections_reports import report_verification
    from projections.follow.projection import PROJECTIONS
    from projections.rebuild.verify import verify as compare

    chosen = [_named(name)] if name else list(PROJECTIONS.values())
    differ = False
    for projection in chosen:
        found = _ask(partial(compare, projection=projection, workers=workers))
        report_verification(found, as_json=as_json)
        differ = differ or bool(found.differences)
    raise typer.Exit(1 if differ else 0)


@projections_app.command()
def rebuild(
    name: Name,
    batch: Annotated[int, typer.Option(min=1, help="Events per batch.")] = DEFAULT_BATCH,
    workers: Workers = DEFAULT_WORKERS,
    *,
    as_json: AsJson = False,
) -> None:
    """Build the tables anew beside the live ones, verify them, and swap."""
    import anyio

    from api.cli.projections_progress import progress
    from projections.rebuild.rebuild import rebuild as build
    from projections.settings import database_settings

    projection = _named(name)
    with _explained(), progress(as_json=as_json) as shown:
        url = database_settings().url
        rebuilt = anyio.run(
            lambda: build(url, projection, report=shown.report, batch_events=batch, workers=workers)
        )
        shown.finish(rebuilt)


@projections_app.command()
def retry(name: Name) -> None:
    """Let a stopped projection try its event again."""
    from projections.follow.failures import retry as clear

    _named(name)
    position = _ask(lambda connection: clear(connection, name))
    said = "was not stopped" if position is None else f"tries position {position} again"
    typer.echo(f"Projection {name} {said}.")


@projections_app.command()
def skip(
    name: Name,
    position: Annotated[int, typer.Argument(min=1, help="Where it is stopped.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
) -> None:
    """Leave out exactly the event at which a projection is stopped; that you did is recorded."""
    from projections.follow.failures import skip as leave_out

    _named(name)
    by = getpass.getuser()
    _ask(lambda connection: leave_out(connection, name, position, reason=reason, by=by))
    typer.echo(f"Projection {name} goes on after position {position}, which it leaves out.")


def _named(name: str) -> "Projection":
    from projections.follow.projection import PROJECTIONS

    if name not in PROJECTIONS:
        known = ", ".join(PROJECTIONS)
        raise typer.BadParameter(f"there is no projection {name!r}; there is {known}")
    return PROJECTIONS[name]


def _ask(question: "Callable[[AsyncConnection[object]], Awaitable[T]]") -> T:
    import anyio
    from psycopg import AsyncConnection

    from projections.settings import database_settings

    async def ask(url: str) -> T:
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute("SET TIME ZONE 'UTC'")
            return await question(connection)

    with _explained():
        return anyio.run(ask, database_settings().url)


@contextmanager
def _explained() -> Iterator[None]:
    import psycopg
    from anyio import BrokenWorkerProcess

    from domain.event_store.mapper import UnreadableEvent
    from domain.settings import WrongSettings
    from projections.follow.batch import UnknownProjection
    from projections.follow.failures import NotStoppedThere
    from projections.rebuild.rebuild import RebuildRunning
    from projections.rebuild.swap import NeverCaughtUp
    from projections.rebuild.verify import Differs

    try:
        yield
    except WrongSettings as error:
        for problem in error.problems:
            typer.echo(f"nova: {problem} (see .env.example)", err=True)
        raise typer.Exit(EXIT_WRONG_SETTINGS) from error
    except psycopg.errors.UndefinedTable as error:
        _fail("the database is of an older version: run nova migrate", error)
    except psycopg.Error as error:
        _fail(f"the database does not answer as it should: {error}", error)
    except (
        Differs,
        NeverCaughtUp,
        NotStoppedThere,
        RebuildRunning,
        UnknownProjection,
        UnreadableEvent,
    ) as error:
        _fail(str(error), error)
    except BrokenWorkerProcess as error:
        _fail("one of its workers was ended from outside: try again, with fewer workers", error)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _fail(reason: str, error: Exception) -> None:
    typer.echo(f"nova: {reason}", err=True)
    raise typer.Exit(1) from error
