"""The projector process: follows the log, and seals it, until it is told to stop."""

import signal

import anyio
import structlog

from projections.follow.projection import POSTS
from projections.follow.runner import follow
from projections.log_tree.sealer import keep_sealed
from projections.settings import ProjectorSettings

_log = structlog.get_logger(__name__)


async def run_projector(settings: ProjectorSettings) -> None:
    """Follow the log until SIGTERM or SIGINT; any other end is an error that stops the process."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, settings.database.url, POSTS)
        tasks.start_soon(keep_sealed, settings.database.url)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for received in signals:
                _log.info("stopping", signal=received.name)
                tasks.cancel_scope.cancel()
                return
