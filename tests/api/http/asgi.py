"""A bare ASGI application and client, for middleware that knows nothing of routes."""

from typing import Any, cast

from litestar.types import ASGIApp, Message, Receive, Scope, Send


def application(*, status: int = 200, path_template: str | None = None) -> ASGIApp:
    """An application that answers everything with `status`, as the route of `path_template`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if path_template is not None:
            cast("dict[str, Any]", scope)["path_template"] = path_template
        cast("dict[str, Any]", scope).setdefault("state", {})["status"] = status
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


async def request(app: ASGIApp, path: str, *, method: str = "GET") -> Message:
    """Send one request; the start of its answer."""
    sent: list[Message] = []
    scope = {"type": "http", "method": method, "path": path, "headers": [], "state": {}}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(cast("Scope", scope), receive, send)
    return sent[0]
