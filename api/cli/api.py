"""`nova api`: one API process."""

from api.cli.errors import friendly_errors
from api.cli.pooler import require_sessions
from api.cli.process import logged_process
from api.http.server import run_api
from api.logs import configure_logs
from api.settings import api_settings
from api.telemetry import start_telemetry
from projections.log_tree.keys import open_verifier


@friendly_errors()
def api() -> None:
    """Run one API process."""
    configure_logs()
    settings = api_settings()
    require_sessions(settings.database.session_url)
    # A wrong key is named before anything starts.
    open_verifier(settings.log)
    start_telemetry("api", settings.telemetry)
    url = f"http://{settings.server.host}:{settings.server.port}"
    with logged_process("api", url=url, environment=settings.environment):
        run_api(settings)
