"""Security headers of every response."""

from typing import Final

from litestar.types import BeforeMessageSendHookHandler, Message, Scope

from api.settings import ApiSettings

_ANY_ORIGIN: Final = ("*",)
_API: Final = "/api/"
_MEDIA: Final = "/media/"
_ALLOW_ORIGIN: Final = b"access-control-allow-origin"
_VARY: Final = b"vary"
# What a response has unless its route has set it: JSON runs and loads nothing.
_DEFAULTS: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
# Responses hold tokens, presigned URLs and texts of users: caches keep what a route allows them to.
_NO_STORE: Final = (b"cache-control", b"no-store")
_API_VARIES_BY: Final = b"Accept-Encoding, Authorization, Origin"


def add_security_headers(settings: ApiSettings) -> BeforeMessageSendHookHandler:
    """A hook that completes the headers of a response before it is sent."""
    has_origins = settings.cors.origins != _ANY_ORIGIN
    defaults = [*_DEFAULTS]
    if settings.server.hsts_seconds:
        value = f"max-age={settings.server.hsts_seconds}; includeSubDomains"
        defaults.append((b"strict-transport-security", value.encode()))

    async def add(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        path = scope["path"]
        headers = [(name.lower(), value) for name, value in message["headers"]]
        if path.startswith(_MEDIA):
            headers = _for_any_origin(headers)
        elif has_origins and path.startswith(_API):
            # Litestar's CORS replaces what else the response varies by.
            headers = [each for each in headers if each[0] != _VARY] + [(_VARY, _API_VARIES_BY)]
        names = {name for name, _ in headers}
        wanted = [*defaults, _NO_STORE] if path.startswith(_API) else defaults
        message["headers"] = headers + [each for each in wanted if each[0] not in names]

    return add


def _for_any_origin(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The same for every origin: a browser that got it for `<img>` keeps it for a year."""
    kept = [each for each in headers if each[0] not in {_ALLOW_ORIGIN, _VARY}]
    return [*kept, (_ALLOW_ORIGIN, b"*")]
