"""Authentication: bearer JWTs whose `sub` is the user's UUID, through Litestar's own JWT auth."""

from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, Self, TypeAlias, cast, get_args
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.security.jwt import JWTAuth, Token
from msgspec import Struct

Role: TypeAlias = Literal["user", "operator", "auditor"]

TOKEN_LIFETIME: Final = timedelta(days=1)
# Verifying a signature takes a fifth of a read's time.
KNOWN_TOKENS: Final = 10_000
# Everything else asks who is calling.
OPEN_PATHS: Final = ["^/api/v1/health", "^/api/v1/capabilities$", "^/docs", "^/media/"]


class User(Struct, frozen=True):
    """Who is calling."""

    id: UUID
    role: Role

    @property
    def actor(self) -> str:
        """How events name this user."""
        return f"user:{self.id}"


class KnownToken(Token):
    """A token that is verified once; that it has not expired, every time."""

    @classmethod
    def decode(  # type: ignore[override]
        cls, encoded_token: str, secret: str, algorithm: str, **options: object
    ) -> "KnownToken":
        """The token that a client has sent.

        Raises:
            NotAuthorizedException: it is not signed with `secret`, or not valid now.
        """
        asked = tuple((name, _hashable(value)) for name, value in options.items())
        token = _verified(encoded_token, secret, algorithm, asked)
        if token.exp <= datetime.now(UTC):
            raise NotAuthorizedException("Invalid token")
        return token

    @classmethod
    def verify(cls, encoded_token: str, secret: str, algorithm: str, **options: object) -> Self:
        """As the library does it each time."""
        known: dict[str, Any] = options
        return super().decode(encoded_token, secret, algorithm, **known)

    @cached_property
    def user(self) -> User | None:
        """Whom it names, if it is somebody that we know."""
        role = self.extras.get("role", "user")
        try:
            user_id = UUID(self.sub)
        except ValueError:
            return None
        return User(id=user_id, role=cast("Role", role)) if role in get_args(Role) else None


@lru_cache(maxsize=KNOWN_TOKENS)
def _verified(
    encoded_token: str, secret: str, algorithm: str, options: tuple[tuple[str, object], ...]
) -> KnownToken:
    # What is not valid raises, and is not kept: nobody fills the cache with rubbish.
    return KnownToken.verify(encoded_token, secret, algorithm, **dict(options))


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def bearer_auth(secret: str) -> JWTAuth[User, KnownToken]:
    """Ask for a valid token on every path that is not open."""
    return JWTAuth[User, KnownToken](
        token_cls=KnownToken,
        token_secret=secret,
        algorithm="HS256",
        retrieve_user_handler=_user,
        exclude=OPEN_PATHS,
        require_claims=["exp", "sub"],
    )


def create_token(secret: str, user: User, *, lifetime: timedelta = TOKEN_LIFETIME) -> str:
    """A development token; in production, the identity provider signs them."""
    return bearer_auth(secret).create_token(
        identifier=str(user.id), token_expiration=lifetime, token_extras={"role": user.role}
    )


async def _user(token: Token, _: ASGIConnection[Any, Any, Any, Any]) -> User | None:
    return token.user if isinstance(token, KnownToken) else None
