"""Settings of the API process, and of the command line."""

import os
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from domain.recipes import KB, MB
from domain.settings import DatabaseSettings, TelemetrySettings, WrongSettings, load_settings
from transcoder.settings import ObjectStoreSettings, PhotoSettings, PositiveInt


class ServerSettings(Struct, frozen=True, kw_only=True):
    """Where the API listens, how long it keeps serving after SIGTERM, and whether /docs is on.

    `public_url` is where clients reach it; None means where each of them says that it did.
    """

    host: str = field(default="127.0.0.1", name="APP_HOST")
    port: Annotated[int, Meta(ge=1, le=65535)] = field(default=8000, name="APP_PORT")
    public_url: Annotated[str, Meta(pattern="^https?://")] | None = field(
        default=None, name="PUBLIC_URL"
    )
    shutdown_delay_seconds: Annotated[float, Meta(ge=0)] = field(
        default=5, name="APP_SHUTDOWN_DELAY_SECONDS"
    )
    serves_docs: bool = field(default=True, name="APP_DOCS")


class UploadSettings(Struct, frozen=True, kw_only=True):
    """Which uploads are accepted, in bytes, and how many jobs may wait."""

    min_bytes: PositiveInt = field(default=100 * KB, name="UPLOAD_MIN_BYTES")
    max_bytes: PositiveInt = field(default=50 * MB, name="UPLOAD_MAX_BYTES")
    queue_capacity: PositiveInt = field(default=100, name="JOB_QUEUE_CAPACITY")


class ApiSettings(Struct, frozen=True, kw_only=True):
    """Settings of an API process."""

    telemetry: TelemetrySettings
    database: DatabaseSettings
    object_store: ObjectStoreSettings
    photos: PhotoSettings
    uploads: UploadSettings
    server: ServerSettings
    environment: Literal["development", "production"] = field(default="development", name="APP_ENV")
    jwt_secret: Annotated[str, Meta(min_length=32)] = field(name="JWT_SECRET")
    cloudfront_url: Annotated[str, Meta(pattern="^https?://")] | None = field(
        default=None, name="CLOUDFRONT_URL"
    )


class AuditSettings(Struct, frozen=True, kw_only=True):
    """What signs exported evidence: the path of an Ed25519 PEM key, or the key in base64."""

    signing_key: str | None = field(default=None, name="AUDIT_SIGNING_KEY")


def api_settings() -> ApiSettings:
    """Read the environment.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    settings = load_settings(ApiSettings, os.environ)
    if settings.environment == "production" and settings.cloudfront_url is None:
        # The /media route serves variants in development only.
        raise WrongSettings(["CLOUDFRONT_URL is not set"])
    return settings


def audit_settings() -> AuditSettings:
    """Read the environment."""
    return load_settings(AuditSettings, os.environ)


def add_to_environ(variables: Mapping[str, str]) -> None:
    """Add variables that have no value yet; all settings are read from the environment later."""
    unset = {name for name in variables if not os.environ.get(name, "").strip()}
    os.environ.update({name: variables[name] for name in unset})


def environ() -> Mapping[str, str]:
    """The environment, for the commands that start other processes."""
    return os.environ
