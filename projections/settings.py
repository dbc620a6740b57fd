"""Settings of the projector process, and of the commands that need the database alone."""

import os
from typing import Annotated

from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr

from domain.settings import (
    DatabaseSettings,
    TelemetrySettings,
    load_settings,
    read_database_url,
)


class LogNameSettings(Struct, frozen=True, kw_only=True):
    """The name of the log in its checkpoints, and the key that verifies them.

    The key is a verifier key (vkey), the path of a PEM file, or the key in base64.
    """

    origin: Annotated[str, Meta(pattern=r"^[^\s+]+$")] = field(
        default="nova-publishing/log", name="AUDIT_ORIGIN"
    )
    public_key: str | None = field(default=None, name="AUDIT_PUBLIC_KEY")


class AuditSettings(Struct, frozen=True, kw_only=True):
    """With which key checkpoints are signed: the path of an Ed25519 PEM file, or it in base64."""

    log: LogNameSettings
    signing_key: str | None = field(default=None, name="AUDIT_SIGNING_KEY")


class ProjectorSettings(Struct, frozen=True, kw_only=True):
    """Settings of the projector."""

    telemetry: TelemetrySettings
    database: DatabaseSettings
    audit: AuditSettings


class OwnerSettings(Struct, frozen=True, kw_only=True):
    """The database as the role that owns its tables, for commands that create or replace some.

    If it has no URL, the services' role is that owner. No URL of a pooler.
    """

    database: DatabaseSettings
    own_url: str | None = field(default=None, name="DATABASE_OWNER_URL")

    def __post_init__(self) -> None:
        """Check the connection string, and add the timeouts that it does not set.

        Raises:
            WrongSettings: libpq cannot read it; the message shows no part of it.
        """
        if self.own_url is not None:
            own_url = read_database_url("DATABASE_OWNER_URL", self.own_url)
            force_setattr(self, "own_url", own_url)

    @property
    def url(self) -> str:
        """The connection string with the owner's role."""
        return self.own_url or self.database.session_url


def projector_settings() -> ProjectorSettings:
    """Read the environment.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    return load_settings(ProjectorSettings, os.environ)


def owner_settings() -> OwnerSettings:
    """Read the environment for a command that creates or replaces tables.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    return load_settings(OwnerSettings, os.environ)


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
