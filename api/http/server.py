"""The API process: uvicorn around the app, which leaves without letting go of anybody.

Told to stop, it goes on answering for a while, but says that it is not ready and asks for each
connection to be closed: load balancers and clients turn elsewhere before anything is.
"""

import asyncio
from types import FrameType

import uvicorn
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.http.app import create_app
from api.http.observability.middleware import Observed
from api.settings import ApiSettings

# Requests that run when the process stops answering get this long to end.
DRAIN_SECONDS = 5
# Longer than load balancers keep idle connections: whoever closes first must not be us.
KEEP_ALIVE_SECONDS = 75
READY_PATHS = ("/api/v1/health", "/api/v1/health/", "/api/v1/health/ready")


def run_api(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT, then turn people away gently and finish what runs."""
    traced = settings.telemetry.otlp_endpoint is not None
    leaving = Leaving(Observed(create_app(settings), traced=traced))
    config = uvicorn.Config(
        leaving,
        host=settings.server.host,
        port=settings.server.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    Server(config, leaving=leaving, leave_within_seconds=settings.server.leave_seconds).run()


class Leaving:
    """An ASGI application around another one; `begin` is when it starts to leave."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answer = app

    def begin(self) -> None:
        """From now on, nobody is to come back."""
        self._answer = self._turn_away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._answer(scope, receive, send)

    async def _turn_away(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ready_check = scope.get("path") in READY_PATHS

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
                if is_ready_check:
                    message["status"] = 503
            await send(message)

        await self._app(scope, receive, send_and_close)


class Server(uvicorn.Server):
    """uvicorn, which on the first signal leaves gently, and on the second at once."""

    def __init__(
        self, config: uvicorn.Config, *, leaving: Leaving, leave_within_seconds: float
    ) -> None:
        super().__init__(config)
        self._leaving = leaving
        self._leave_within_seconds = leave_within_seconds
        self._is_leaving = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See uvicorn.Server."""
        if self._is_leaving or not self.started:
            super().handle_exit(sig, frame)
            return
        self._is_leaving = True
        self._leaving.begin()
        stop = super().handle_exit
        asyncio.get_running_loop().call_later(self._leave_within_seconds, stop, sig, frame)
