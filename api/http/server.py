"""The API process: uvicorn, with a shutdown that fails no request.

On SIGTERM it keeps serving for a while, but reports that it is not ready and closes each connection
after its response, so that load balancers and clients move to other processes first.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.http.app import create_app
from api.http.connections.limits import limits_within
from api.http.connections.open_connections import OpenConnections
from api.http.connections.protocol import BoundedConfig, BoundedProtocol
from api.http.observability.middleware import ObservabilityMiddleware
from api.settings import ApiSettings

# How long running requests may take once the process accepts no new ones.
DRAIN_SECONDS = 5
# Longer than load balancers keep idle connections: if we closed first, they would send into a void.
KEEP_ALIVE_SECONDS = 75
READY_PATHS = ("/api/v1/health", "/api/v1/health/", "/api/v1/health/ready")


def run_api(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    traced = settings.telemetry.otlp_endpoint is not None
    observed = ObservabilityMiddleware(create_app(settings), traced=traced)
    draining = DrainMiddleware(observed)
    config = BoundedConfig(
        draining,
        host=settings.server.host,
        port=settings.server.port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        forwarded_allow_ips=settings.server.trusted_proxies,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    config.open_connections = OpenConnections(limits_within(settings.connections))
    Server(config, draining=draining, delay_seconds=settings.server.shutdown_delay_seconds).run()


class DrainMiddleware:
    """ASGI middleware that closes connections and reports unready once it drains."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._serve = app

    def start(self) -> None:
        """Start to drain."""
        self._serve = self._serve_last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._serve(scope, receive, send)

    async def _serve_last(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ready_check = scope.get("path") in READY_PATHS

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
                if is_ready_check:
                    message["status"] = 503
            await send(message)

        await self._app(scope, receive, send_and_close)


class Server(uvicorn.Server):
    """uvicorn that closes overdue connections, and delays its shutdown on the first signal only."""

    config: BoundedConfig

    def __init__(
        self, config: BoundedConfig, *, draining: DrainMiddleware, delay_seconds: float
    ) -> None:
        super().__init__(config)
        self._draining = draining
        self._delay_seconds = delay_seconds
        self._is_draining = False

    async def on_tick(self, counter: int) -> bool:
        """Close overdue connections, ten times a second; overrides uvicorn."""
        self.config.open_connections.close_overdue(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while the server runs; overrides uvicorn, which raises SIGTERM again."""
        with super().capture_signals():
            yield
            # It has drained, and the process ends like any other that has done its work.
            self._captured_signals = [
                each for each in self._captured_signals if each != signal.SIGTERM
            ]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start to drain, or stop if draining already; overrides uvicorn."""
        if self._is_draining or not self.started:
            super().handle_exit(sig, frame)
            return
        self._is_draining = True
        self._draining.start()
        stop = super().handle_exit
        asyncio.get_running_loop().call_later(self._delay_seconds, stop, sig, frame)
