"""Settings: how every process turns environment variables into one frozen Struct.

Each process declares its Struct in its own `settings.py`; a field `database_url` is read from
`DATABASE_URL`. Nothing here reads the environment by itself.
"""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields, force_setattr

from domain.database_url import limited

SettingsT = TypeVar("SettingsT", bound=Struct)


class TelemetrySettings(Struct, frozen=True, kw_only=True):
    """Where a process shows its metrics, and where it sends its traces; nowhere if not said."""

    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    otel_exporter_otlp_endpoint: Annotated[str, Meta(pattern="^https?://")] | None = None


class DatabaseSettings(TelemetrySettings, frozen=True, kw_only=True):
    """What every process needs: the PostgreSQL that holds the events, as a libpq URL.

    Where the URL does not say how long a silent network is waited for, it does from here on.
    """

    database_url: str
    db_pool_size: Annotated[int, Meta(ge=1)] = 10

    def __post_init__(self) -> None:
        """Complete the URL."""
        force_setattr(self, "database_url", limited(self.database_url))


class WrongSettings(Exception):
    """One or more environment variables are missing or wrong; the message names each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def load_settings(settings_type: type[SettingsT], environ: Mapping[str, str]) -> SettingsT:
    """Convert environment variables to `settings_type`; an empty one counts as not set.

    Raises:
        WrongSettings: a variable is missing or does not fit its field.
    """
    values, problems = {}, []
    for field in fields(settings_type):
        try:
            values.update(_value(field, environ))
        except msgspec.ValidationError as error:
            problems.append(f"{variable_name(field)} is wrong: {error}")
        except LookupError:
            problems.append(f"{variable_name(field)} is not set")
    if problems:
        raise WrongSettings(problems)
    return settings_type(**values)


def variable_name(field: FieldInfo) -> str:
    """The environment variable of a settings field."""
    return field.name.upper()


def _value(field: FieldInfo, environ: Mapping[str, str]) -> dict[str, object]:
    raw = environ.get(variable_name(field), "").strip()
    if raw:
        return {field.name: msgspec.convert(raw, field.type, strict=False)}
    if field.default is NODEFAULT and field.default_factory is NODEFAULT:
        raise LookupError(field.name)
    return {}
