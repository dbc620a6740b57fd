"""The reference at `/docs`: Swagger UI, served from files in this package.

`swagger-ui-bundle.js` and `swagger-ui.css` are those of swagger-ui-dist 5.35.0 (Apache-2.0), byte
for byte; a test compares them with the package.
"""

from html import escape
from pathlib import Path
from typing import Any, Final

from litestar import Request, Router
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.static_files import create_static_files_router

_FILES: Final = Path(__file__).with_name("swagger-ui")
_FILES_PATH: Final = "/swagger-ui"
# The page loads its own files and calls its own API. Swagger UI's icons are data URLs.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class SwaggerUi(OpenAPIRenderPlugin):
    """Renders the page, and serves the files that it loads."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Render the page; it loads the document itself."""
        document = self.get_openapi_json_route(request)
        files = document.rpartition("/")[0] + _FILES_PATH
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(openapi_schema["info"]["title"])}</title>
<link rel="stylesheet" href="{files}/swagger-ui.css">
</head>
<body>
<noscript>This page needs JavaScript. The document is at {document}.</noscript>
<div id="swagger-ui" data-document="{document}"></div>
<script src="{files}/swagger-ui-bundle.js"></script>
<script src="{files}/initializer.js"></script>
</body>
</html>
""".encode()

    def receive_router(self, router: Router) -> None:
        """Serve the files beside the page."""
        router.register(
            create_static_files_router(_FILES_PATH, directories=[_FILES], include_in_schema=False)
        )
