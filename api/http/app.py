"""The Litestar application: routes, problems, authentication and documentation."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

import anyio
from litestar import Litestar, Router
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.types import ControllerRouterHandler, Middleware

from api.http.authentication.bearer import bearer_middleware
from api.http.authentication.tokens import TokenVerifier
from api.http.bodies import JsonRequest
from api.http.connections.limits import BODY_BYTES
from api.http.headers import add_security_headers
from api.http.limits.middleware import add_limits, limit_by
from api.http.methods import MethodsMiddleware
from api.http.observability.correlation import HEADER, add_correlation_id
from api.http.openapi.config import openapi_config
from api.http.openapi.schemas import StructSchemas
from api.http.problems.pages import problems_router
from api.http.problems.responses import respond_with_problem
from api.http.queries import require_known_parameters
from api.http.resources import Resources, open_resources
from api.http.routes.audit import audit_router
from api.http.routes.capabilities import read_capabilities
from api.http.routes.clients import read_nova_uppy
from api.http.routes.health import health_router
from api.http.routes.media import read_media
from api.http.routes.posts import posts_router
from api.http.routes.uploads import uploads_router
from api.settings import ApiSettings

API_PATH = "/api/v1"
COMPRESSED_FROM_BYTES = 1024


OpenResources: TypeAlias = Callable[[ApiSettings], AbstractAsyncContextManager[Resources]]


def create_app(
    settings: ApiSettings, *, open_resources: OpenResources = open_resources
) -> Litestar:
    """The ASGI application; its lifespan opens and closes its resources.

    Raises:
        WrongSettings: the keys of tokens are wrong.
    """
    verifier = TokenVerifier(settings.identity, accepts_secret=settings.accepts_secret)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_resources(settings) as resources, anyio.create_task_group() as tasks:
            app.state.resources = resources
            if verifier.jwks is not None:
                tasks.start_soon(verifier.jwks.keep_fresh)
            yield
            tasks.cancel_scope.cancel()

    # Takes no parameters: resolving those of a dependency costs more than a log line.
    def resources() -> Resources:
        opened: Resources = app.state.resources
        return opened

    api = Router(
        API_PATH,
        before_request=require_known_parameters,
        route_handlers=[
            uploads_router,
            posts_router,
            audit_router,
            read_capabilities,
            health_router,
        ],
    )
    routes: list[ControllerRouterHandler] = [api, problems_router, read_nova_uppy]
    if settings.cloudfront_url is None:
        routes.append(read_media)
    app = Litestar(
        route_handlers=routes,
        lifespan=[lifespan],
        dependencies={"resources": Provide(resources, sync_to_thread=False)},
        middleware=_middleware(settings, verifier),
        before_send=[add_correlation_id, add_limits, add_security_headers(settings)],
        exception_handlers={Exception: respond_with_problem},
        cors_config=CORSConfig(
            allow_origins=list(settings.cors.origins),
            expose_headers=[
                "ETag",
                "Link",
                "Location",
                "RateLimit",
                "RateLimit-Policy",
                "Retry-After",
                HEADER,
            ],
        ),
        request_max_body_size=BODY_BYTES,
        # Media are JPEGs: gzip would only cost time.
        compression_config=CompressionConfig(
            backend="gzip",
            minimum_size=COMPRESSED_FROM_BYTES,
            gzip_compress_level=6,
            exclude=["^/media/"],
        ),
        request_class=JsonRequest,
        plugins=[StructSchemas()],
        openapi_config=openapi_config() if settings.server.serves_docs else None,
        debug=False,
        logging_config=None,
    )
    app.asgi_handler = MethodsMiddleware(app.asgi_handler, routes=app.routes)
    return app


def _middleware(settings: ApiSettings, verifier: TokenVerifier) -> list[Middleware]:
    """Who asks, and, unless they are switched off, the limits of the address and of the user."""
    bearer = bearer_middleware(verifier)
    if not settings.limits.are_on:
        return [bearer]
    return [limit_by("address"), bearer, limit_by("user")]
