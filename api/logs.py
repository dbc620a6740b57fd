"""Logs: structlog for our own lines and the libraries', readable on a terminal, JSON elsewhere."""

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec
import psycopg
import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks
from structlog.typing import Processor


def configure_logs(*, level: int = logging.INFO) -> None:
    """Send every log line of this process to standard error in one format.

    Ours go there at once: through the standard library, a line costs more than a query.
    """
    rendering = _rendering(terminal=sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    set_on_retry_hooks([_log_retry])
    of_libraries = [structlog.stdlib.add_logger_name, *shared, _shorten_a_lost_database]
    _take_over_the_libraries(of_libraries, rendering)
    structlog.configure(
        processors=[_add_logger_name, *shared, *rendering],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


class _Lines:
    """A logger that writes whole lines."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")

    debug = info = warning = error = exception = critical = msg


def _add_logger_name(
    logger: _Lines, _: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event["logger"] = logger.name
    return event


def _take_over_the_libraries(shared: list[Processor], rendering: list[Processor]) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _shorten_a_lost_database(
    _logger: logging.Logger, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Every lane of a worker says so twice, and where it noticed helps nobody."""
    _, error, _ = event.get("exc_info") or (None, None, None)
    while error is not None and not isinstance(error, psycopg.OperationalError):
        error = error.__cause__
    if error is not None:
        del event["exc_info"]
        event["error"] = str(error)
    return event


def _log_retry(details: RetryDetails) -> None:
    """Without the arguments, which stamina's own hook logs: they are captions and photos."""
    structlog.get_logger("api.retries").warning(
        "retry",
        callable=details.name,
        retry=details.retry_num,
        wait_seconds=round(details.wait_for, 1),
        caused_by=type(details.caused_by).__name__,
    )


def _rendering(*, terminal: bool) -> list[Processor]:
    if terminal:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    # Without the local variables: they hold captions, tokens and keys.
    without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(without_locals),
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(event: object, default: Callable[[Any], Any]) -> str:
    return msgspec.json.encode(event, enc_hook=default).decode()
