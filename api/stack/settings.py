"""Settings of the embedded servers."""

import os

from msgspec import Struct, field

from domain.settings import load_settings


class EmbeddingSettings(Struct, frozen=True, kw_only=True):
    """Which PostgreSQL is embedded: that in the folder `postgres_programs`, or the wheel's."""

    postgres_programs: str | None = field(default=None, name="POSTGRES_PROGRAMS")


def embedding_settings() -> EmbeddingSettings:
    """Read the environment."""
    return load_settings(EmbeddingSettings, os.environ)
