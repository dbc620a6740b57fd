"""Upload tokens: signed proof that the bearer started this upload.

They have a secret of their own, derived from the secret of bearer tokens: neither is accepted as
the other, whatever its claims.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from api.http.errors import InvalidUploadToken
from domain.errors import UploadExpired

AUDIENCE: Final = "nova:upload"
ALGORITHM: Final = "HS256"
# Stored in no token, but part of each signature: a change makes all open upload tokens invalid.
_PURPOSE: Final = b"nova upload token v1"


class _Claims(Struct, frozen=True):
    post: str
    exp: int


def create_upload_token(secret: str, post_id: UUID, *, expires_at: datetime) -> str:
    """Sign a token for one post; `secret` is that of bearer tokens."""
    claims = {"aud": AUDIENCE, "post": str(post_id), "exp": expires_at}
    return jwt.encode(claims, _upload_secret(secret), algorithm=ALGORITHM)


def read_upload_token(secrets: Iterable[str], token: str, *, post_id: UUID) -> datetime:
    """Verify that a token is for this post; returns its expiry, which may be past.

    Args:
        secrets: those of bearer tokens that count: today's, and yesterday's during a rotation.
        token: as the client sent it.
        post_id: of the post.

    Raises:
        InvalidUploadToken: it is forged, damaged, or for another post.
    """
    claims = _signed_claims(secrets, token)
    if claims.post != str(post_id):
        raise InvalidUploadToken
    try:
        return datetime.fromtimestamp(claims.exp, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidUploadToken from error


def check_expiry(post_id: UUID, expires_at: datetime, *, now: datetime) -> None:
    """Refuse what an upload token allows only until it expires.

    Raises:
        UploadExpired: `expires_at` is past.
    """
    if expires_at <= now:
        raise UploadExpired(post_id, expired_at=expires_at)


def _signed_claims(secrets: Iterable[str], token: str) -> _Claims:
    for secret in secrets:
        try:
            claims = jwt.decode(
                token,
                _upload_secret(secret),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"require": ["exp", "post"], "verify_exp": False},
            )
            return msgspec.convert(claims, _Claims)
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
            raise InvalidUploadToken from error
    raise InvalidUploadToken


@lru_cache(maxsize=8)
def _upload_secret(secret: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
