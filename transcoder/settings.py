"""Settings of the worker process, and of every process that reaches the object store."""

import os
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from domain.settings import DatabaseSettings, load_settings

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


class WorkerSettings(ObjectStoreSettings, frozen=True, kw_only=True):
    """What transcoding needs: `worker_concurrency` pictures at a time, one process each."""

    worker_concurrency: PositiveInt = os.cpu_count() or 1


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
