"""Logs: structlog for our own lines and the libraries', readable on a terminal, JSON elsewhere."""

import logging
import sys

import structlog
from stamina.instrumentation import RetryDetails, set_on_retry_hooks


def configure_logs(*, level: int = logging.INFO) -> None:
    """Send every log line of this process to standard error in one format."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(terminal=sys.stderr.isatty()),
            ],
        )
    )
    set_on_retry_hooks([_log_retry])
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for package in ("domain", "projections", "transcoder", "api"):
        logging.getLogger(package).setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _log_retry(details: RetryDetails) -> None:
    """Without the arguments, which stamina's own hook logs: they are captions and photos."""
    structlog.get_logger("api.retries").warning(
        "retry",
        callable=details.name,
        retry=details.retry_num,
        wait_seconds=round(details.wait_for, 1),
        caused_by=type(details.caused_by).__name__,
    )


def _rendering(*, terminal: bool) -> list[structlog.typing.Processor]:
    if terminal:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    # Without the local variables: they hold captions, tokens and keys.
    without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(without_locals),
        structlog.processors.JSONRenderer(),
    ]
