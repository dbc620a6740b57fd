"""Middleware that takes a token for each request, and headers that say how many are left.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.http.limits.buckets import Taken, Whose
from api.http.limits.classes import class_of

# A provider gives a customer at least this much of IPv6, and each address of it is one customer's.
IPV6_PREFIX: Final = 64
WINDOW_SECONDS: Final = 60
_STATE: Final = "limits_taken"


def limit_by(whose: Whose) -> DefineMiddleware:
    """Limit requests by address, before their token is verified, or by user, after that."""
    return DefineMiddleware(LimitMiddleware, whose=whose)


class LimitMiddleware:
    """ASGI middleware inside Litestar, where the route is known."""

    def __init__(self, app: ASGIApp, *, whose: Whose) -> None:
        self._app = app
        self._whose = whose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose bucket has a token left.

        Raises:
            TooManyRequests, LimitsUnavailable: it has none, or nobody knows.
        """
        route_class = class_of(scope)
        key = _address_of(scope) if self._whose == "address" else _user_of(scope)
        if route_class is not None and key is not None:
            buckets = scope["litestar_app"].state.resources.buckets
            taken = await buckets.take(route_class, self._whose, key)
            if taken is not None:
                scope.setdefault("state", {})[_STATE] = taken
        await self._app(scope, receive, send)


async def add_limits(message: Message, scope: Scope) -> None:
    """Say in a response how many requests are left to the user, or else to the address."""
    taken: Taken | None = scope.get("state", {}).get(_STATE)
    if message["type"] != "http.response.start" or taken is None:
        return
    name = taken.route_class
    policy = f'"{name}";q={taken.limit};w={WINDOW_SECONDS}'
    left = f'"{name}";r={taken.remaining};t={taken.full_after_seconds}'
    message["headers"] = [
        *message["headers"],
        (b"ratelimit-policy", policy.encode()),
        (b"ratelimit", left.encode()),
    ]


def _user_of(scope: Any) -> str | None:  # noqa: ANN401 - Litestar's scopes of all kinds
    user = scope.get("user")
    return None if user is None else str(user.id)


def _address_of(scope: Any) -> str:  # noqa: ANN401 - as above
    client = scope.get("client")
    return "unknown" if client is None else _network_of(client[0])


@lru_cache(maxsize=10_000)
def _network_of(address: str) -> str:
    """An IPv4 address, or the network of an IPv6 one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{int(parsed) >> (128 - IPV6_PREFIX):x}"
