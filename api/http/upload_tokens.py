"""Upload tokens: signed proof that the bearer opened this upload, good for an hour."""

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
    # No `sub`: nobody can log in with it.
    claims = {"aud": AUDIENCE, "post": str(post_id), "exp": expires_at}
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def expiry_of_upload_token(secret: str, token: str, *, post_id: UUID) -> datetime:
    """Check that a token is for this post, and return when it expires or did.

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


def check_upload_token(secret: str, token: str, *, post_id: UUID) -> datetime:
    """The same, for what can only be done in time.

    Raises:
        InvalidUploadToken: it is forged, damaged, or for another post.
        UploadExpired: it was right, and is too old.
    """
    expires_at = expiry_of_upload_token(secret, token, post_id=post_id)
    if expires_at <= datetime.now(UTC):
        raise UploadExpired(post_id, expired_at=expires_at)
    return expires_at
