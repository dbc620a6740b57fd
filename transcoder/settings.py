"""Settings of the worker process, and of every process that reaches the object store."""

import os
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct, field

from domain.recipes import MAX_PIXELS, MEGAPIXEL
from domain.settings import (
    WEB_URL,
    DatabaseSettings,
    TelemetrySettings,
    WrongSettings,
    load_settings,
)
from transcoder.rendering import Limits

SECRETS: Final = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_DIRECT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "JWT_SECRET",
    "JWT_PREVIOUS_SECRET",
    "REDIS_URL",
    "AUDIT_SIGNING_KEY",
)
PositiveInt: TypeAlias = Annotated[int, Meta(ge=1)]


class ObjectStoreSettings(Struct, frozen=True, kw_only=True):
    """Where originals and variants are stored.

    Without keys, the SDK finds them as every AWS client does: a profile, a container's or a
    machine's role. Temporary keys come with a session token.

    `public_endpoint_url` is what presigned URLs name, where clients reach the store elsewhere.
    """

    bucket: str = field(name="S3_BUCKET_NAME")
    region: str = field(default="us-east-1", name="S3_REGION")
    endpoint_url: str | None = field(default=None, name="S3_ENDPOINT_URL")
    public_endpoint_url: Annotated[str, Meta(pattern=WEB_URL)] | None = field(
        default=None, name="S3_PUBLIC_ENDPOINT_URL"
    )
    access_key_id: str | None = field(default=None, name="AWS_ACCESS_KEY_ID")
    secret_access_key: str | None = field(default=None, name="AWS_SECRET_ACCESS_KEY")
    session_token: str | None = field(default=None, name="AWS_SESSION_TOKEN")

    def __post_init__(self) -> None:
        """Check that keys come in pairs.

        Raises:
            WrongSettings: one of the two is missing.
        """
        if (self.access_key_id is None) != (self.secret_access_key is None):
            missing = "AWS_ACCESS_KEY_ID" if self.secret_access_key else "AWS_SECRET_ACCESS_KEY"
            raise WrongSettings([f"{missing} is not set, but the other half of the key is"])


class PhotoSettings(Struct, frozen=True, kw_only=True):
    """Which photos are accepted; `accept_heif` covers HEIC, HEIF and AVIF.

    `max_megapixels` is the limit of every type; see `domain.photo_limits` for each.
    """

    accept_heif: bool = field(default=True, name="ACCEPT_HEIF")
    max_megapixels: PositiveInt = field(default=MAX_PIXELS // MEGAPIXEL, name="MAX_MEGAPIXELS")

    @property
    def max_pixels(self) -> int:
        """The pixel limit."""
        return self.max_megapixels * MEGAPIXEL


class CorsSettings(Struct, frozen=True, kw_only=True):
    """The web pages whose scripts may upload to the bucket, and read responses of the API."""

    cors_allow_origins: str = field(default="*", name="CORS_ALLOW_ORIGINS")

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins; `*` is any."""
        return tuple(each.strip() for each in self.cors_allow_origins.split(",") if each.strip())


class BucketSettings(Struct, frozen=True, kw_only=True):
    """Settings of the command that prepares the database and the bucket."""

    database: DatabaseSettings
    object_store: ObjectStoreSettings
    cors: CorsSettings


class StorageSettings(Struct, frozen=True, kw_only=True):
    """Settings of the commands that need the database and the bucket."""

    database: DatabaseSettings
    object_store: ObjectStoreSettings


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """Settings of a worker, which runs `concurrency` image processes."""

    telemetry: TelemetrySettings
    database: DatabaseSettings
    object_store: ObjectStoreSettings
    photos: PhotoSettings
    concurrency: PositiveInt = field(default=os.cpu_count() or 1, name="WORKER_CONCURRENCY")
    render_deadline_seconds: PositiveInt = field(default=30, name="RENDER_DEADLINE_SECONDS")

    def limits(self) -> Limits:
        """What one photo may be and may cost."""
        return Limits(
            heif=self.photos.accept_heif,
            max_pixels=self.photos.max_pixels,
            deadline_seconds=self.render_deadline_seconds,
        )


def storage_settings() -> StorageSettings:
    """Read the environment for a command that needs the database and the bucket.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    return load_settings(StorageSettings, os.environ)


def bucket_settings() -> BucketSettings:
    """Read the environment for the command that prepares the database and the bucket.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    return load_settings(BucketSettings, os.environ)


def object_store_settings() -> ObjectStoreSettings:
    """Read the environment for a command that only reads objects.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    return load_settings(ObjectStoreSettings, os.environ)


def worker_settings() -> WorkerSettings:
    """Read the environment and remove the secrets from it.

    Nothing that the worker starts inherits them.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    settings = load_settings(WorkerSettings, os.environ)
    for secret in SECRETS:
        os.environ.pop(secret, None)
    return settings
