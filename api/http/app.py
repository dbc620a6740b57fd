"""The app: Litestar with its routes, errors, authentication and documentation."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import ScalarRenderPlugin
from litestar.types import ControllerRouterHandler

from api.http.authentication.bearer import bearer_auth
from api.http.observability.correlation import HEADER, answer_with_correlation_id
from api.http.problems import respond_with_problem
from api.http.resources import Services, open_services
from api.http.routes.audit import audit_router
from api.http.routes.capabilities import read_capabilities
from api.http.routes.health import health_router
from api.http.routes.media import read_media
from api.http.routes.posts import posts_router
from api.http.routes.uploads import uploads_router
from api.settings import ApiSettings

API_PATH = "/api/v1"
DOCS_PATH = "/docs"
# Requests are small JSON; photos go to the object store, never through here.
MAX_BODY_BYTES = 64 * 1024


OpenServices: TypeAlias = Callable[[ApiSettings], AbstractAsyncContextManager[Services]]


def create_app(settings: ApiSettings, *, open_services: OpenServices = open_services) -> Litestar:
    """The ASGI application; it opens its services when it starts and closes them when it stops."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_services(settings) as services:
            app.state.services = services
            yield

    # Takes nothing: working out what a dependency depends on would take longer than a log line.
    def services() -> Services:
        opened: Services = app.state.services
        return opened

    api = Router(
        API_PATH,
        route_handlers=[
            uploads_router,
            posts_router,
            audit_router,
            read_capabilities,
            health_router,
        ],
    )
    routes: list[ControllerRouterHandler] = [api]
    if settings.cloudfront_url is None:
        routes.append(read_media)
    app = Litestar(
        route_handlers=routes,
        lifespan=[lifespan],
        dependencies={"services": Provide(services, sync_to_thread=False)},
        on_app_init=[bearer_auth(settings.jwt_secret).on_app_init],
        before_send=[answer_with_correlation_id],
        exception_handlers={Exception: respond_with_problem},
        cors_config=CORSConfig(
            allow_origins=["*"], expose_headers=["ETag", "Location", "Retry-After", HEADER]
        ),
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=OpenAPIConfig(
            title="Nova Publishing",
            version="1",
            description="Photos in, web-ready variants behind a CDN out.",
            path=DOCS_PATH,
            render_plugins=[ScalarRenderPlugin()],
        ),
        debug=False,
        logging_config=None,
    )
    return app
