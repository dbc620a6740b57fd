"""Restarts: a loop of the projector starts again after every error, so it outlives all of them."""

from collections.abc import Awaitable, Callable
from typing import Final, Never, NoReturn

import anyio
import structlog

from domain.event_store.outages import Pauses, outage_of

_log: Final = structlog.get_logger(__name__)


async def keep_running(run: Callable[[], Awaitable[Never]], *, loop: str, **facts: str) -> NoReturn:
    """Run a loop until cancelled, again after every error, with the pauses of `Pauses`.

    Each error is logged with what to do, under the name of the loop and with these facts.
    """
    pauses = Pauses()
    while True:
        started = anyio.current_time()
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - whatever ends a loop, its process goes on
            ran_seconds = anyio.current_time() - started
            pause_seconds = pauses.after(error, ran_seconds=ran_seconds)
            outage = outage_of(error)
            _log.warning(
                "restarting",
                loop=loop,
                error=str(error) or type(error).__name__,
                advice=outage.advice,
                pause_seconds=pause_seconds,
                # Of a condition that passes, the traceback says nothing.
                exc_info=None if outage.is_temporary else error,
                **facts,
            )
            await anyio.sleep(pause_seconds)
