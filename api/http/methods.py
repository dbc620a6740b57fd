"""Methods: HEAD wherever GET is, and an `Allow` header with all methods of the path."""

from collections.abc import Iterable, Iterator
from typing import Final

from litestar.enums import ScopeType
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

_ALLOW: Final = b"allow"


class MethodsMiddleware:
    """ASGI middleware that answers HEAD as GET, without the body, and completes `Allow`.

    HEAD routes of their own would double every operation of the OpenAPI document. Litestar's
    answer to OPTIONS names only the methods of the handler that was registered first.
    """

    def __init__(self, app: ASGIApp, *, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._allowed = {
            route.path_format: _allow(str(method) for method in route.methods)
            for route in routes
            if isinstance(route, HTTPRoute)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope["method"] = "GET"

        async def send_changed(message: Message) -> None:
            if is_head:
                # Servers and logs see the method that the client sent.
                scope["method"] = "HEAD"
            if message["type"] == "http.response.start":
                message["headers"] = [*self._complete(message["headers"], scope)]
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        await self._app(scope, receive, send_changed)

    def _complete(
        self, headers: Iterable[tuple[bytes, bytes]], scope: HTTPScope
    ) -> Iterator[tuple[bytes, bytes]]:
        for name, value in headers:
            if name.lower() == _ALLOW:
                # No route was found for a method that the path lacks; the header is complete then.
                found = self._allowed.get(scope.get("path_template", ""))
                yield name, found or _allow(value.decode().split(", "))
            else:
                yield name, value


def _allow(methods: Iterable[str]) -> bytes:
    known = set(methods)
    return ", ".join(sorted(known | {"HEAD"} if "GET" in known else known)).encode()
