"""Upload tokens: signed proof that the bearer started this upload."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import jwt

from api.http.errors import InvalidUploadToken
from domain.errors import UploadExpired

AUDIENCE: Final = "nova:upload"
ALGORITHM: Final = "HS256"


def create_upload_token(secret: str, post_id: UUID, *, expires_at: datetime) -> str:
    """Sign a token for one post."""
    # Without `sub`, it is not accepted as a bearer token.
    claims = {"aud": AUDIENCE, "post": str(post_id), "exp": expires_at}
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read_upload_token(secret: str, token: str, *, post_id: UUID) -> datetime:
    """Verify that a token is for this post; returns its expiry, which may be past.

    Raises:
        InvalidUploadToken: it is forged, damaged, or for another post.
    """
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["exp", "post"], "verify_exp": False},
        )
    except jwt.InvalidTokenError as error:
        raise InvalidUploadToken from error
    if claims["post"] != str(post_id):
        raise InvalidUploadToken
    return datetime.fromtimestamp(claims["exp"], UTC)


def check_expiry(post_id: UUID, expires_at: datetime) -> None:
    """Refuse what an upload token allows only until it expires.

    Raises:
        UploadExpired: `expires_at` is past.
    """
    if expires_at <= datetime.now(UTC):
        raise UploadExpired(post_id, expired_at=expires_at)
