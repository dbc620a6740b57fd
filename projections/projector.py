"""The projector process: follows the log for every projection, and seals it, until stopped."""

import signal

import anyio
import structlog

from projections.follow.backlogs import Backlogs
from projections.follow.projection import PROJECTIONS
from projections.follow.runner import follow
from projections.log_tree.keys import open_signer
from projections.log_tree.sealer import keep_sealed
from projections.settings import ProjectorSettings

_log = structlog.get_logger(__name__)


async def run_projector(settings: ProjectorSettings) -> None:
    """Follow and seal the log until SIGTERM or SIGINT; an error ends the process.

    Raises:
        WrongSettings: the signing key is none.
    """
    signer = open_signer(settings.audit)
    backlogs = Backlogs()
    async with anyio.create_task_group() as tasks:
        for projection in PROJECTIONS.values():
            tasks.start_soon(follow, settings.database.session_url, projection, backlogs)
        tasks.start_soon(keep_sealed, settings.database.session_url, signer)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for received in signals:
                _log.info("stopping", signal=received.name)
                tasks.cancel_scope.cancel()
                return
