"""`nova worker`: one worker process."""

import anyio

from api.cli.errors import friendly_errors
from api.cli.pooler import require_sessions
from api.cli.process import logged_process
from api.cli.readiness import Readiness
from api.logs import configure_logs
from api.telemetry import start_telemetry
from transcoder.settings import worker_settings
from transcoder.worker import RunningLanes, run_worker


@friendly_errors()
def worker() -> None:
    """Run one worker process, which transcodes photos."""
    configure_logs()
    settings = worker_settings()
    require_sessions(settings.database.session_url)
    lanes = RunningLanes()
    readiness = Readiness(settings.database.session_url, what_is_missing=lanes.why_none)
    start_telemetry("worker", settings.telemetry, why_not_ready=readiness)
    with logged_process("worker", image_processes=settings.concurrency):
        anyio.run(run_worker, settings, lanes, backend_options={"use_uvloop": True})
