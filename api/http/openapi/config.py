"""The document as a whole, and where it is served."""

from typing import Final

from litestar import Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Contact, License, Server

from api.http.authentication.bearer import SECURITY, SECURITY_COMPONENTS
from api.http.openapi.tags import TAGS
from api.http.openapi.viewer import SECURITY_HEADERS, SwaggerUi

DOCS_PATH: Final = "/docs"
_DESCRIPTION: Final = """\
Upload photos, get web-ready variants behind a CDN.

1. `initUpload` announces the size and SHA-256 of a photo and returns a presigned URL.
2. PUT the file there with exactly the `upload_headers`.
3. `completeUpload` queues it. Poll `getPost` until `status` is `published` or `failed`.

Errors are problem details (RFC 9457). Their `type` is the path of a page that explains it;
[/problems/](/problems/) lists all of them. Once a write is answered, every later read reflects it.
HEAD works wherever GET does.
"""


def openapi_config() -> OpenAPIConfig:
    """Describe the API."""
    return OpenAPIConfig(
        title="Nova Publishing",
        version="1",
        summary="A photo publishing service.",
        description=_DESCRIPTION,
        contact=Contact(name="Nova Publishing"),
        license=License(name="MIT", identifier="MIT"),
        servers=[Server(url="/", description="The host that serves this document.")],
        tags=TAGS,
        components=SECURITY_COMPONENTS,
        security=[SECURITY],
        use_handler_docstrings=True,
        openapi_router=Router(
            DOCS_PATH,
            route_handlers=[],
            include_in_schema=False,
            response_headers=SECURITY_HEADERS,
        ),
        render_plugins=[SwaggerUi()],
    )
