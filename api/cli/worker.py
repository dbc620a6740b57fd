"""`nova worker`: one worker process."""

import anyio

from api.cli.errors import friendly_errors
from api.cli.pooler import require_sessions
from api.cli.process import logged_process
from api.logs import configure_logs
from api.telemetry import start_telemetry
from transcoder.settings import worker_settings
from transcoder.worker import run_worker


@friendly_errors()
def worker() -> None:
    """Run one worker process, which transcodes photos."""
    configure_logs()
    settings = worker_settings()
    require_sessions(settings.database.session_url)
    start_telemetry("worker", settings.telemetry)
    with logged_process("worker", image_processes=settings.concurrency):
        anyio.run(run_worker, settings, backend_options={"use_uvloop": True})
