"""Authentication: bearer JWTs whose `sub` is the user's UUID, through Litestar's own JWT auth."""

from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, cast, get_args
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.security.jwt import JWTAuth, Token
from msgspec import Struct

Role: TypeAlias = Literal["user", "operator", "auditor"]

TOKEN_LIFETIME: Final = timedelta(days=1)
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


def bearer_auth(secret: str) -> JWTAuth[User, Token]:
    """Ask for a valid token on every path that is not open."""
    return JWTAuth[User, Token](
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
    role = token.extras.get("role", "user")
    try:
        user_id = UUID(token.sub)
    except ValueError:
        return None
    return User(id=user_id, role=cast("Role", role)) if role in get_args(Role) else None
