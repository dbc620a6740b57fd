"""Settings of the projector process, and of the commands that need the database alone."""

import os
from typing import Annotated

from msgspec import Meta, Struct, field

from domain.settings import DatabaseSettings, TelemetrySettings, load_settings


class ProjectorSettings(Struct, frozen=True, kw_only=True):
    """Settings of the projector."""

    telemetry: TelemetrySettings
    database: DatabaseSettings


class AuditSettings(Struct, frozen=True, kw_only=True):
    """Under which name and with which key checkpoints of the log are signed.

    The key is the path of an Ed25519 PEM file, or the key in base64.
    """

    origin: Annotated[str, Meta(pattern=r"^[^\s+]+$")] = field(
        default="nova-publishing/log", name="AUDIT_ORIGIN"
    )
    signing_key: str | None = field(default=None, name="AUDIT_SIGNING_KEY")


def projector_settings() -> ProjectorSettings:
    """Read the environment.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    return load_settings(ProjectorSettings, os.environ)


def database_settings() -> DatabaseSettings:
    """Read the environment for a command that needs the database alone.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    return load_settings(DatabaseSettings, os.environ)


def audit_settings() -> AuditSettings:
    """Read the environment.

    Raises:
        WrongSettings: a variable is wrong.
    """
    return load_settings(AuditSettings, os.environ)
