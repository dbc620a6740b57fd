"""Settings of the projector process, and of the commands that need the database alone."""

import os

from msgspec import Struct

from domain.settings import DatabaseSettings, TelemetrySettings, load_settings


class ProjectorSettings(Struct, frozen=True, kw_only=True):
    """Settings of the projector."""

    telemetry: TelemetrySettings
    database: DatabaseSettings


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
