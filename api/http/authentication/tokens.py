"""Bearer tokens: signed and issued by an identity provider, verified here.

The claims that count are `sub`, `exp`, `iss`, `aud`, `nbf`, `iat` and the one of the role.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Annotated, Any, Final

import jwt
import msgspec
from msgspec import Meta, Struct

from api.http.authentication.jwks import Jwks
from api.http.authentication.keys import ASYMMETRIC, HMAC, Key, KeySet, public_keys, secret_keys
from api.http.authentication.users import User, role_of, user_id_of
from api.http.errors import IdentityProviderUnavailable, InvalidToken
from api.settings import IdentitySettings

TOKEN_LIFETIME: Final = timedelta(days=1)
# How far the clocks of the identity provider and of this machine may differ.
LEEWAY_SECONDS: Final = 30.0
MAX_TOKEN_CHARACTERS: Final = 8192
# Verifying a signature takes a fifth of the time of a read, so verified tokens are cached.
CACHED_TOKENS: Final = 10_000


class VerifiedToken(Struct, frozen=True):
    """A token that was valid when it was verified; `expires_at` in Unix seconds."""

    user: User
    expires_at: float


class UnknownKey(InvalidToken):
    """No known key verifies the signature, but one that was published meanwhile may."""


class _Claims(Struct, frozen=True):
    sub: Annotated[str, Meta(min_length=1, max_length=255)]
    exp: float
    iat: float | None = None
    iss: str | None = None


class TokenVerifier:
    """Verifies tokens; safe for concurrent requests.

    Args:
        settings: which keys, issuer, audience and lifetimes count.
        accepts_secret: whether tokens may be signed with the secret.
    """

    def __init__(self, settings: IdentitySettings, *, accepts_secret: bool) -> None:
        secrets = (settings.secret, settings.previous_secret) if accepts_secret else ()
        keys = public_keys(settings.public_keys) if settings.public_keys else ()
        self.jwks = Jwks(settings.jwks_url) if settings.jwks_url else None
        self._own_keys = (*secret_keys(*secrets), *keys)
        self._published_keys: tuple[Key, ...] = ()
        self._keys = KeySet(self._own_keys)
        # It does not store exceptions: invalid tokens cannot fill it. A new set of keys misses it.
        self._verify = lru_cache(maxsize=CACHED_TOKENS)(partial(_verify, settings=settings))

    async def verify(self, token: str) -> VerifiedToken:
        """Verify a token that a client sent.

        Raises:
            InvalidToken: it is not valid, or no longer.
            IdentityProviderUnavailable: its key is unknown, and the provider's are not available.
        """
        try:
            verified = self._verify(token, self._known_keys())
        except UnknownKey:
            if self.jwks is None:
                raise
            verified = await self._verify_with_new_keys(token, self.jwks)
        if verified.expires_at + LEEWAY_SECONDS <= time.time():
            raise InvalidToken
        return verified

    async def _verify_with_new_keys(self, token: str, jwks: Jwks) -> VerifiedToken:
        await jwks.fetch()
        try:
            return self._verify(token, self._known_keys())
        except UnknownKey as error:
            if jwks.has_failed:
                raise IdentityProviderUnavailable from error
            raise

    def _known_keys(self) -> KeySet:
        if self.jwks is not None and self.jwks.keys is not self._published_keys:
            self._published_keys = self.jwks.keys
            self._keys = KeySet((*self._own_keys, *self.jwks.keys))
        return self._keys


def create_token(
    secret: str,
    user: User,
    *,
    lifetime: timedelta = TOKEN_LIFETIME,
    extra_claims: Mapping[str, object] | None = None,
    role_claim: str = "role",
) -> str:
    """Sign a development token; in production, the identity provider signs tokens."""
    now = datetime.now(UTC)
    claims = {
        "sub": str(user.id),
        "iat": now,
        "exp": now + lifetime,
        role_claim: user.role,
        **(extra_claims or {}),
    }
    return jwt.encode(claims, secret, algorithm=HMAC)


def create_development_token(environ: Mapping[str, str], user: User) -> str:
    """Sign a development token that a service with this environment accepts."""
    names = {"iss": "JWT_ISSUER", "aud": "JWT_AUDIENCE"}
    return create_token(
        environ["JWT_SECRET"],
        user,
        extra_claims={claim: environ[name] for claim, name in names.items() if environ.get(name)},
        role_claim=environ.get("JWT_ROLE_CLAIM") or "role",
    )


def _verify(token: str, keys: KeySet, *, settings: IdentitySettings) -> VerifiedToken:
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidToken
    try:
        claims = _signed_claims(token, keys, settings)
        known = msgspec.convert(claims, _Claims)
    except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
        raise InvalidToken from error
    if settings.issuer is None and known.iss is not None:
        # As for audiences: a token that names one is meant for a service that checks it.
        raise InvalidToken
    _check_lifetime(known, max_seconds=settings.max_lifetime_seconds)
    user = User(
        id=user_id_of(known.sub, issuer=known.iss),
        role=role_of(claims, role_claim=settings.role_claim),
    )
    return VerifiedToken(user=user, expires_at=known.exp)


def _signed_claims(token: str, keys: KeySet, settings: IdentitySettings) -> dict[str, Any]:
    header = jwt.get_unverified_header(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    for key in keys.matching(algorithm, kid):
        try:
            return jwt.decode(
                token,
                key.material,
                algorithms=[key.algorithm],
                issuer=settings.issuer,
                audience=settings.audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "sub"]},
            )
        except jwt.InvalidSignatureError:
            continue
    raise InvalidToken if keys.has_kid(kid) or algorithm not in ASYMMETRIC else UnknownKey


def _check_lifetime(claims: _Claims, *, max_seconds: float) -> None:
    now = time.time()
    issued_at = now if claims.iat is None else min(claims.iat, now)
    # Not `>`: a lifetime that is not a number is no lifetime.
    if not claims.exp - issued_at <= max_seconds + LEEWAY_SECONDS:
        raise InvalidToken
