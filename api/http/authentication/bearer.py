"""Authentication: bearer JWTs whose `sub` is the user's UUID, through Litestar's own JWT auth."""

from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, Self, TypeAlias, cast, get_args
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.openapi.spec import Components, SecurityScheme
from litestar.security.jwt import JWTAuth, Token
from msgspec import Struct

Role: TypeAlias = Literal["user", "operator", "auditor"]

TOKEN_LIFETIME: Final = timedelta(days=1)
# Verifying a signature takes a fifth of the time of a read, so verified tokens are cached.
CACHED_TOKENS: Final = 10_000
# Every other path requires a token.
PUBLIC_PATHS: Final = [
    "^/api/v1/health",
    "^/api/v1/capabilities$",
    "^/docs",
    "^/problems(/|$)",
    "^/media/",
]


class User(Struct, frozen=True):
    """The caller, as the token names it."""

    id: UUID
    role: Role

    @property
    def actor(self) -> str:
        """The actor that events record."""
        return f"user:{self.id}"


class CachedToken(Token):
    """A token whose signature is verified once, and whose expiry is checked every time."""

    @classmethod
    def decode(  # type: ignore[override]
        cls, encoded_token: str, secret: str, algorithm: str, **options: object
    ) -> "CachedToken":
        """Return the token that a client sent; overrides `Token.decode`.

        Raises:
            NotAuthorizedException: it is not signed with `secret`, or has expired.
        """
        cache_key = tuple((name, _hashable(value)) for name, value in options.items())
        token = _verified(encoded_token, secret, algorithm, cache_key)
        if token.exp <= datetime.now(UTC):
            raise NotAuthorizedException("Invalid token")
        return token

    @classmethod
    def decode_uncached(
        cls, encoded_token: str, secret: str, algorithm: str, **options: object
    ) -> Self:
        """Verify a token as the library does."""
        library_options: dict[str, Any] = options
        return super().decode(encoded_token, secret, algorithm, **library_options)

    @cached_property
    def user(self) -> User | None:
        """The user it names; None if the claims are not valid."""
        role = self.extras.get("role", "user")
        try:
            user_id = UUID(self.sub)
        except ValueError:
            return None
        return User(id=user_id, role=cast("Role", role)) if role in get_args(Role) else None


@lru_cache(maxsize=CACHED_TOKENS)
def _verified(
    encoded_token: str, secret: str, algorithm: str, options: tuple[tuple[str, object], ...]
) -> CachedToken:
    # lru_cache does not store exceptions: invalid tokens cannot fill it.
    return CachedToken.decode_uncached(encoded_token, secret, algorithm, **dict(options))


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class BearerAuth(JWTAuth[User, CachedToken]):
    """JWT authentication, described as OpenAPI allows: Litestar's description has a `name`."""

    @property
    def openapi_components(self) -> Components:
        """The security scheme of the document; overrides Litestar."""
        scheme = SecurityScheme(
            type="http", scheme="bearer", bearer_format="JWT", description=self.description
        )
        return Components(security_schemes={self.openapi_security_scheme_name: scheme})

    def format_auth_header(self, encoded_token: str) -> str:
        """The header that carries a token; overrides Litestar, which takes it from the scheme."""
        return f"Bearer {encoded_token}"


def bearer_auth(secret: str) -> BearerAuth:
    """Require a valid token on every path that is not public."""
    return BearerAuth(
        token_cls=CachedToken,
        token_secret=secret,
        algorithm="HS256",
        retrieve_user_handler=_retrieve_user,
        exclude=PUBLIC_PATHS,
        require_claims=["exp", "sub"],
        description="A JWT (HS256) of your identity provider: `sub` is the user's UUID, `exp` its "
        "expiry, and `role` is `user` (the default), `operator` or `auditor`. `nova token` makes "
        "one for development.",
    )


def create_token(secret: str, user: User, *, lifetime: timedelta = TOKEN_LIFETIME) -> str:
    """Sign a development token; in production, the identity provider signs tokens."""
    return bearer_auth(secret).create_token(
        identifier=str(user.id), token_expiration=lifetime, token_extras={"role": user.role}
    )


async def _retrieve_user(token: Token, _: ASGIConnection[Any, Any, Any, Any]) -> User | None:
    return token.user if isinstance(token, CachedToken) else None
