"""Logs: structlog for our own lines and those of libraries; plain on a terminal, JSON elsewhere."""

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

    Our own lines bypass the standard library, where a line costs more than a query.
    """
    rendering = _rendering(terminal=sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    set_on_retry_hooks([_log_retry])
    _format_library_logs([*shared, _shorten_lost_database], rendering)
    structlog.configure(
        processors=[*shared, *rendering, _encode],
        # Unlike WriteLogger, it knows its name.
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def _format_library_logs(shared: list[Processor], rendering: list[Processor]) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _shorten_lost_database(
    _logger: logging.Logger, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Log a lost database in one line: every lane logs it, and the traceback adds nothing."""
    _, error, _ = event.get("exc_info") or (None, None, None)
    while error is not None and not isinstance(error, psycopg.OperationalError):
        error = error.__cause__
    if error is not None:
        del event["exc_info"]
        event["error"] = str(error)
    return event


def _log_retry(details: RetryDetails) -> None:
    """Log a retry without its arguments, unlike stamina: they hold captions and photos."""
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
    # Local variables hold captions, tokens and keys.
    without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(without_locals),
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(event: object, default: Callable[[Any], Any]) -> str:
    return msgspec.json.encode(event, enc_hook=default).decode()


def _encode(_logger: object, _method: str, line: Any) -> bytes:  # noqa: ANN401 - a renderer's str
    return str(line).encode(errors="backslashreplace")  # as sys.stderr does
