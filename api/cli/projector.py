"""`nova projector`: one projector process."""

import anyio

from api.cli.errors import friendly_errors
from api.cli.pooler import require_sessions
from api.cli.process import logged_process
from api.cli.readiness import Readiness
from api.logs import configure_logs
from api.telemetry import start_telemetry
from projections.follow.projection import PROJECTIONS
from projections.projector import run_projector
from projections.settings import projector_settings


@friendly_errors()
def projector() -> None:
    """Run one projector process, which keeps the read tables up to date."""
    configure_logs()
    settings = projector_settings()
    require_sessions(settings.database.session_url)
    readiness = Readiness(settings.database.session_url)
    start_telemetry("projector", settings.telemetry, why_not_ready=readiness)
    with logged_process("projector", projections=list(PROJECTIONS)):
        anyio.run(run_projector, settings)
