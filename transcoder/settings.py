"""Settings of the worker process, and of every process that reaches the object store."""

import os
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from domain.recipes import MAX_PIXELS, MEGAPIXEL
from domain.settings import DatabaseSettings, load_settings
from transcoder.rendering import Limits

SECRETS: Final = (
    "DATABASE_URL",
    "REDIS_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "JWT_SECRET",
)
PositiveInt: TypeAlias = Annotated[int, Meta(ge=1)]


class ObjectStoreSettings(DatabaseSettings, frozen=True, kw_only=True):
    """Where the pictures live. Without keys, the SDK finds the machine's own role."""

    s3_bucket_name: str
    s3_region: str = "us-east-1"
    s3_endpoint_url: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None


class PhotoSettings(ObjectStoreSettings, frozen=True, kw_only=True):
    """Which photos are accepted; `accept_heif` is for HEIC, HEIF and AVIF together."""

    accept_heif: bool = True
    max_megapixels: PositiveInt = MAX_PIXELS // MEGAPIXEL


class WorkerSettings(PhotoSettings, frozen=True, kw_only=True):
    """What transcoding needs: `worker_concurrency` pictures at a time, one process each."""

    worker_concurrency: PositiveInt = os.cpu_count() or 1
    render_deadline_seconds: PositiveInt = 30

    def limits(self) -> Limits:
        """What one picture may be and may cost."""
        return Limits(
            heif=self.accept_heif,
            max_pixels=self.max_megapixels * MEGAPIXEL,
            deadline_seconds=self.render_deadline_seconds,
        )


def object_store_settings() -> ObjectStoreSettings:
    """Read the environment for a command that needs the database and the bucket.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    return load_settings(ObjectStoreSettings, os.environ)


def worker_settings() -> WorkerSettings:
    """Read the environment, and take the secrets out of it.

    What is not there cannot be inherited by the processes that decode strangers' pictures; from
    reading it where it was, `hide_memory` keeps those that are not root.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    settings = load_settings(WorkerSettings, os.environ)
    for secret in SECRETS:
        os.environ.pop(secret, None)
    return settings
