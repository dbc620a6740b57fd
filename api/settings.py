"""Settings of the API process, and of the command line."""

import os
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from domain.recipes import KB, MB
from domain.settings import WrongSettings, load_settings
from transcoder.settings import PhotoSettings, PositiveInt


class ApiSettings(PhotoSettings, frozen=True, kw_only=True):
    """What HTTP delivery needs; sizes in bytes."""

    jwt_secret: Annotated[str, Meta(min_length=32)]
    app_env: Literal["development", "production"] = "development"
    app_host: str = "127.0.0.1"
    app_port: Annotated[int, Meta(ge=1, le=65535)] = 8000
    app_leave_seconds: Annotated[float, Meta(ge=0)] = 5
    cloudfront_url: Annotated[str, Meta(pattern="^https?://")] | None = None
    redis_url: str | None = None
    upload_min_bytes: PositiveInt = 100 * KB
    upload_max_bytes: PositiveInt = 50 * MB
    job_queue_capacity: PositiveInt = 100


def api_settings() -> ApiSettings:
    """Read the environment.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    settings = load_settings(ApiSettings, os.environ)
    if settings.app_env == "production" and settings.cloudfront_url is None:
        # Serving the variants ourselves is for development.
        raise WrongSettings(["CLOUDFRONT_URL is not set"])
    return settings


class AuditSettings(Struct, frozen=True, kw_only=True):
    """What exported evidence needs: the path of an Ed25519 key in PEM, or the key in base64."""

    audit_signing_key: str | None = None


def audit_settings() -> AuditSettings:
    """Read the environment."""
    return load_settings(AuditSettings, os.environ)


def environ() -> Mapping[str, str]:
    """The environment, for the commands that start other processes."""
    return os.environ
