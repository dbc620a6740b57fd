"""Explained: errors that people can mend, as one line and an exit code, not a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

EXIT_WRONG_SETTINGS = 2
EXIT_INTERRUPTED = 130


@contextmanager
def explained() -> Iterator[None]:
    """Turn them into what to do: 1 when it did not work, 2 for settings, 130 after Ctrl-C."""
    # Loaded by the verbs that meet them anyway.
    import psycopg  # noqa: PLC0415
    from procrastinate.exceptions import ConnectorException  # noqa: PLC0415

    from api.stack.errors import StackError  # noqa: PLC0415
    from domain.errors import DomainError  # noqa: PLC0415
    from domain.settings import WrongSettings  # noqa: PLC0415
    from transcoder.errors import ObjectStoreUnavailable  # noqa: PLC0415

    try:
        yield
    except WrongSettings as error:
        for problem in error.problems:
            typer.echo(f"nova: {problem} (see .env.example)", err=True)
        raise typer.Exit(EXIT_WRONG_SETTINGS) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction) as error:
        _fail("the database is of an older version: run nova migrate", error)
    except (psycopg.OperationalError, ConnectorException) as error:
        _fail(f"the database does not answer: {error}", error)
    except ObjectStoreUnavailable as error:
        reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        _fail(f"the object store does not answer: {reason}", error)
    except (DomainError, StackError, OSError) as error:
        _fail(str(error), error)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _fail(reason: str, error: Exception) -> None:
    typer.echo(f"nova: {reason}", err=True)
    raise typer.Exit(1) from error
