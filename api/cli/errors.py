"""Errors that a user can fix, as one line and an exit code instead of a traceback.

0    done
1    done, and something is wrong; or it could not be done
2    wrong use: words, options or settings
130  interrupted
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import psycopg
import typer
from anyio import BrokenWorkerProcess
from procrastinate.exceptions import ConnectorException

from api.cli.extras import MissingExtra
from api.stack.errors import StackError
from domain.errors import DomainError
from domain.event_store.mapper import UnreadableEvent
from domain.settings import WrongSettings
from projections.audit.report_check import WrongReport
from projections.follow.batch import UnknownProjection
from projections.follow.failures import NotStoppedThere
from projections.grants import GrantError
from projections.log_tree.evidence import WrongEvidence
from projections.log_tree.notes import WrongNote
from projections.log_tree.proofs import NotProvable
from projections.log_tree.sealing import CheckpointMissing
from projections.rebuild.rebuild import RebuildRunning
from projections.rebuild.swap import NeverCaughtUp
from projections.rebuild.verify import Differs
from projections.server_settings import UnfitDatabase
from transcoder.errors import ObjectStoreUnavailable, UnsuitableObjectStore

EXIT_WRONG: Final = 1
EXIT_WRONG_USE: Final = 2
EXIT_INTERRUPTED: Final = 130

_READ_ONLY: Final = (
    "the database is read-only, and this command writes (every audit query is recorded): connect "
    "to the primary; nova audit verify and nova projections status work on a standby"
)
# Their messages say what is wrong, and often what to do.
_TELLING: Final = (
    Differs,
    DomainError,
    GrantError,
    MissingExtra,
    NeverCaughtUp,
    NotProvable,
    NotStoppedThere,
    OSError,
    RebuildRunning,
    CheckpointMissing,
    StackError,
    UnfitDatabase,
    UnknownProjection,
    UnsuitableObjectStore,
    UnreadableEvent,
    WrongEvidence,
    WrongNote,
    WrongReport,
)


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Explain the errors of a verb; as a decorator, `@friendly_errors()`.

    Raises:
        typer.Exit: with the code that the module names.
    """
    try:
        yield
        sys.stdout.flush()
    except WrongSettings as error:
        for problem in error.problems:
            typer.echo(f"nova: {problem} (see .env.example)", err=True)
        raise typer.Exit(EXIT_WRONG_USE) from error
    except (psycopg.Error, ConnectorException) as error:
        _fail(_reason_of_database(error), error)
    except ObjectStoreUnavailable as error:
        reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        _fail(f"object store unavailable: {reason}", error)
    except BrokenWorkerProcess as error:
        _fail("a worker process was killed: try again with fewer workers", error)
    except BrokenPipeError:
        _leave_pipe()
    except TimeoutError as error:
        _fail(f"timed out: {str(error) or 'no answer in time'}", error)
    except _TELLING as error:
        _fail(_reason(error), error)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _reason_of_database(error: psycopg.Error | ConnectorException) -> str:
    match error:
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedFunction():
            return "the database has an older schema: run nova migrate"
        case psycopg.errors.ReadOnlySqlTransaction():
            return _READ_ONLY
        case psycopg.OperationalError() | ConnectorException():
            return f"database unavailable: {str(error).strip()}"
        case _:
            return f"database error: {str(error).strip()}"


def _reason(error: Exception) -> str:
    """The message; that of a file as shells say it: "/no/such/file: No such file or directory"."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _fail(reason: str, error: Exception) -> NoReturn:
    typer.echo(f"nova: {reason}", err=True)
    raise typer.Exit(EXIT_WRONG) from error


def _leave_pipe() -> NoReturn:
    """End quietly when the reader of a pipe has seen enough, like `head`."""
    # What is still buffered would fail again when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit
