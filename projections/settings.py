"""Settings of the projector process, and of the commands that need the database alone."""

import os

from domain.settings import DatabaseSettings, load_settings


def projector_settings() -> DatabaseSettings:
    """Read the environment.

    Raises:
        WrongSettings: a variable is missing or wrong.
    """
    return load_settings(DatabaseSettings, os.environ)
