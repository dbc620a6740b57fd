"""Clients: JavaScript modules that web pages import from the API, always of its own version."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get

from api.http.routes.responses import matches_etag, require_match

CLIENTS_PATH: Final = "/clients"
_FILES: Final = Path(__file__).parents[1] / "clients"


@get(f"{CLIENTS_PATH}/nova-uppy.js", include_in_schema=False, sync_to_thread=False)
def read_nova_uppy(request: Request[Any, Any, Any]) -> Response[bytes | None]:
    """The module that connects Uppy to this API."""
    content = _read("nova-uppy.js")
    headers = {
        # Weak, for the same text may be compressed or not.
        "ETag": f'W/"{hashlib.sha256(content).hexdigest()[:32]}"',
        # A module of an older version works with a newer API, but not for long.
        "Cache-Control": "public, max-age=3600",
        "X-Content-Type-Options": "nosniff",
        # Pages of every origin import it, and a browser's cache may share one response.
        "Access-Control-Allow-Origin": "*",
    }
    require_match(request, headers["ETag"])
    if matches_etag(request, headers["ETag"]):
        return Response(None, status_code=304, headers=headers)
    return Response(content, media_type="text/javascript", headers=headers)


@cache
def _read(name: str) -> bytes:
    return (_FILES / name).read_bytes()
