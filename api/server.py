"""The API process: uvicorn around the app."""

import uvicorn

from api.app import create_app
from api.observed import Observed
from api.settings import ApiSettings

# Requests that run when the process is told to stop get this long to end.
DRAIN_SECONDS = 5
# Longer than load balancers keep idle connections: whoever closes first must not be us.
KEEP_ALIVE_SECONDS = 75


def run_api(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs."""
    uvicorn.run(
        Observed(create_app(settings), traced=settings.otel_exporter_otlp_endpoint is not None),
        host=settings.app_host,
        port=settings.app_port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
