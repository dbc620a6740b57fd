"""Authentication: a bearer token on every path that is not public."""

from contextlib import suppress
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.middleware import DefineMiddleware
from litestar.middleware.authentication import (
    AbstractAuthenticationMiddleware,
    AuthenticationResult,
)
from litestar.openapi.spec import Components, SecurityRequirement, SecurityScheme
from litestar.types import ASGIApp

from api.http.authentication.tokens import TokenVerifier
from api.http.errors import IdentityProviderUnavailable, InvalidToken

SCHEME_NAME: Final = "BearerToken"
SECURITY: Final[SecurityRequirement] = {SCHEME_NAME: []}
SECURITY_COMPONENTS: Final = Components(
    security_schemes={
        SCHEME_NAME: SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description="A JWT of your identity provider. `sub` names the user, `exp` is its "
            "expiry, and the claim of the role (`role` by default) is `user` (if there is none), "
            "`operator` or `auditor`. `nova token` makes one for development.",
        )
    }
)
# A token that is sent must be valid, but none needs to be.
OPTIONAL_PATHS: Final = frozenset({"/api/v1/health", "/api/v1/health/ready"})
# Every other path requires a token.
PUBLIC_PATHS: Final = [
    "^/api/v1/health/live$",
    "^/api/v1/capabilities$",
    "^/docs",
    "^/problems(/|$)",
    "^/media/",
    "^/clients/",
]
# Schemes are compared without regard to case (RFC 9110).
_SCHEME: Final = "bearer"


def bearer_middleware(verifier: TokenVerifier) -> DefineMiddleware:
    """Require a valid token on every path that is not public."""
    return DefineMiddleware(BearerMiddleware, verifier=verifier)


class BearerMiddleware(AbstractAuthenticationMiddleware):
    """Litestar middleware that sets the user and the token of a request."""

    def __init__(self, app: ASGIApp, *, verifier: TokenVerifier) -> None:
        super().__init__(app, exclude=PUBLIC_PATHS)
        self._verifier = verifier

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        """Verify the token of a request.

        Raises:
            InvalidToken: it has none, or several, or it is not valid.
            IdentityProviderUnavailable: it cannot be verified now.
        """
        if connection.scope.get("path_template") in OPTIONAL_PATHS:
            return await self._authenticate_if_possible(connection)
        return await self._authenticate(connection)

    async def _authenticate_if_possible(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        # An identity provider that is down takes no instance out of service.
        if "authorization" in connection.headers:
            with suppress(IdentityProviderUnavailable):
                return await self._authenticate(connection)
        return AuthenticationResult(user=None, auth=None)

    async def _authenticate(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        verified = await self._verifier.verify(_token_of(connection))
        return AuthenticationResult(user=verified.user, auth=verified)


def _token_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    # Of two headers, a proxy may have checked the other one.
    values = [value for name, value in connection.scope["headers"] if name == b"authorization"]
    if len(values) != 1:
        raise InvalidToken
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    if scheme.lower() != _SCHEME:
        raise InvalidToken
    return token.strip(" ")
