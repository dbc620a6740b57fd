"""Settings of the API process, and of the command line."""

import os
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

from domain.recipes import KB, MB
from domain.settings import (
    SECURE_URL,
    WEB_URL,
    DatabaseSettings,
    TelemetrySettings,
    WrongSettings,
    load_settings,
)
from projections.settings import LogNameSettings
from transcoder.settings import CorsSettings, ObjectStoreSettings, PhotoSettings, PositiveInt

# HS256 takes no shorter one.
Secret: TypeAlias = Annotated[str, Meta(min_length=32)]
PositiveFloat: TypeAlias = Annotated[float, Meta(gt=0)]
Limit: TypeAlias = Annotated[int, Meta(ge=0)]


class ServerSettings(Struct, frozen=True, kw_only=True):
    """Where the API listens, how long it keeps serving after SIGTERM, and whether /docs is on.

    `public_url` is where clients reach it; None means where each of them says that it did.
    `trusted_proxies` may say whose request they pass on: addresses and networks, with commas.
    """

    host: str = field(default="127.0.0.1", name="APP_HOST")
    port: Annotated[int, Meta(ge=1, le=65535)] = field(default=8000, name="APP_PORT")
    public_url: Annotated[str, Meta(pattern=WEB_URL)] | None = field(
        default=None, name="PUBLIC_URL"
    )
    shutdown_delay_seconds: Annotated[float, Meta(ge=0)] = field(
        default=5, name="APP_SHUTDOWN_DELAY_SECONDS"
    )
    serves_docs: bool = field(default=True, name="APP_DOCS")
    hsts_seconds: Annotated[int, Meta(ge=0)] = field(default=0, name="APP_HSTS_SECONDS")
    trusted_proxies: str = field(default="127.0.0.1,::1", name="FORWARDED_ALLOW_IPS")


class ConnectionSettings(Struct, frozen=True, kw_only=True):
    """How many connections are served, in all and per client address, and how long each may take.

    Seconds to send a whole request head, counted from the connection or its first byte; to send a
    body; and to read the next 48 KB of an unread response.
    """

    at_most: PositiveInt = field(default=1000, name="APP_MAX_CONNECTIONS")
    per_address: PositiveInt = field(default=250, name="APP_CONNECTIONS_PER_ADDRESS")
    head_seconds: PositiveFloat = field(default=15, name="APP_HEAD_SECONDS")
    body_seconds: PositiveFloat = field(default=30, name="APP_BODY_SECONDS")
    unread_seconds: PositiveFloat = field(default=30, name="APP_UNREAD_SECONDS")


class UploadSettings(Struct, frozen=True, kw_only=True):
    """Which uploads are accepted, in bytes, and how many jobs may wait."""

    min_bytes: PositiveInt = field(default=100 * KB, name="UPLOAD_MIN_BYTES")
    max_bytes: PositiveInt = field(default=50 * MB, name="UPLOAD_MAX_BYTES")
    queue_capacity: PositiveInt = field(default=100, name="JOB_QUEUE_CAPACITY")


class IdentitySettings(Struct, frozen=True, kw_only=True):
    """Whose bearer tokens count: the keys that sign them, and what their claims must say.

    Upload tokens have a secret derived from `secret`. What `previous_secret` signed still counts.
    """

    secret: Secret = field(name="JWT_SECRET")
    previous_secret: Secret | None = field(default=None, name="JWT_PREVIOUS_SECRET")
    public_keys: str | None = field(default=None, name="JWT_PUBLIC_KEY")
    jwks_url: Annotated[str, Meta(pattern=SECURE_URL)] | None = field(
        default=None, name="JWT_JWKS_URL"
    )
    issuer: str | None = field(default=None, name="JWT_ISSUER")
    audience: str | None = field(default=None, name="JWT_AUDIENCE")
    role_claim: str = field(default="role", name="JWT_ROLE_CLAIM")
    max_lifetime_seconds: PositiveInt = field(default=86_400, name="JWT_MAX_LIFETIME_SECONDS")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that count, today's first."""
        return tuple(each for each in (self.secret, self.previous_secret) if each is not None)

    @property
    def has_public_keys(self) -> bool:
        """Whether an identity provider signs tokens with keys that only it has."""
        return self.public_keys is not None or self.jwks_url is not None


class LimitSettings(Struct, frozen=True, kw_only=True):
    """What one user may do: requests per minute by class, and quotas. 0 is no limit.

    An address may do ten times as much, and as much as `anonymous` without a token.
    """

    redis_url: Annotated[str, Meta(pattern="^(rediss?|unix)://")] | None = field(
        default=None, name="REDIS_URL"
    )
    are_on: bool = field(default=True, name="LIMITS")
    init: Limit = field(default=300, name="LIMIT_INIT_PER_MINUTE")
    complete: Limit = field(default=300, name="LIMIT_COMPLETE_PER_MINUTE")
    retry: Limit = field(default=60, name="LIMIT_RETRY_PER_MINUTE")
    edit: Limit = field(default=300, name="LIMIT_EDIT_PER_MINUTE")
    read: Limit = field(default=6_000, name="LIMIT_READ_PER_MINUTE")
    audit: Limit = field(default=600, name="LIMIT_AUDIT_PER_MINUTE")
    anonymous: Limit = field(default=6_000, name="LIMIT_ANONYMOUS_PER_MINUTE")
    open_uploads: Limit = field(default=1_000, name="QUOTA_OPEN_UPLOADS")
    posts_per_day: Limit = field(default=10_000, name="QUOTA_POSTS_PER_DAY")
    bytes_per_day: Limit = field(default=100_000 * MB, name="QUOTA_BYTES_PER_DAY")


class ApiSettings(Struct, frozen=True, kw_only=True):
    """Settings of an API process."""

    telemetry: TelemetrySettings
    database: DatabaseSettings
    object_store: ObjectStoreSettings
    photos: PhotoSettings
    uploads: UploadSettings
    server: ServerSettings
    cors: CorsSettings
    identity: IdentitySettings
    connections: ConnectionSettings
    limits: LimitSettings
    log: LogNameSettings
    environment: Literal["development", "production"] = field(default="development", name="APP_ENV")
    cloudfront_url: Annotated[str, Meta(pattern=WEB_URL)] | None = field(
        default=None, name="CLOUDFRONT_URL"
    )

    @property
    def accepts_secret(self) -> bool:
        """Whether the secret signs bearer tokens; beside public keys, in development only."""
        return self.environment == "development" or not self.identity.has_public_keys


def api_settings() -> ApiSettings:
    """Read the environment.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    try:
        settings = load_settings(ApiSettings, os.environ)
    except WrongSettings as wrong:
        raise WrongSettings([*wrong.problems, *_missing(os.environ)]) from wrong
    if missing := _missing(os.environ):
        raise WrongSettings(missing)
    return settings


def _missing(environ: Mapping[str, str]) -> list[str]:
    """What is needed beside other settings."""
    given = {name for name, value in environ.items() if value.strip()}
    needed = []
    if environ.get("APP_ENV", "").strip() == "production":
        # The /media route serves variants in development only.
        needed.append("CLOUDFRONT_URL")
    if given & {"JWT_PUBLIC_KEY", "JWT_JWKS_URL"}:
        # The provider signs tokens for other services with the same keys.
        needed += ["JWT_ISSUER", "JWT_AUDIENCE"]
    return [f"{name} is not set" for name in needed if name not in given]


def add_to_environ(variables: Mapping[str, str]) -> None:
    """Add variables that have no value yet; all settings are read from the environment later."""
    unset = {name for name in variables if not os.environ.get(name, "").strip()}
    os.environ.update({name: variables[name] for name in unset})


def environ() -> Mapping[str, str]:
    """The environment, for the commands that start other processes."""
    return os.environ
