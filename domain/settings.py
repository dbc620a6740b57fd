"""Settings: environment variables become one frozen Struct per process, composed of small ones.

A field names its variable in full (`msgspec.field(name="DATABASE_URL")`). Only the `settings.py` of
each package reads the environment.
"""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import FieldInfo, fields, force_setattr

from domain.database_url import with_timeouts

SettingsT = TypeVar("SettingsT", bound=Struct)


class TelemetrySettings(Struct, frozen=True, kw_only=True):
    """Where a process serves its metrics and sends its traces; unset means not at all."""

    metrics_host: str = field(default="127.0.0.1", name="METRICS_HOST")
    metrics_port: Annotated[int, Meta(ge=1, le=65535)] | None = field(
        default=None, name="METRICS_PORT"
    )
    otlp_endpoint: Annotated[str, Meta(pattern="^https?://")] | None = field(
        default=None, name="OTEL_EXPORTER_OTLP_ENDPOINT"
    )


class DatabaseSettings(Struct, frozen=True, kw_only=True):
    """The PostgreSQL that holds the events; `url` is a libpq URL with network timeouts."""

    url: str = field(name="DATABASE_URL")
    pool_size: Annotated[int, Meta(ge=1)] = field(default=10, name="DB_POOL_SIZE")

    def __post_init__(self) -> None:
        """Add the timeouts that the URL does not set."""
        force_setattr(self, "url", with_timeouts(self.url))


class WrongSettings(Exception):
    """One or more environment variables are missing or wrong; the message names each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def load_settings(settings_type: type[SettingsT], environ: Mapping[str, str]) -> SettingsT:
    """Convert environment variables to `settings_type`; an empty one counts as unset.

    Raises:
        WrongSettings: a variable is missing or does not fit its field.
    """
    values, problems = {}, []
    for each in fields(settings_type):
        try:
            values.update(_value(each, environ))
        except msgspec.ValidationError as error:
            problems.append(f"{each.encode_name} is wrong: {error}")
        except WrongSettings as error:
            problems.extend(error.problems)
    if problems:
        raise WrongSettings(problems)
    return settings_type(**values)


def variable_names(settings_type: type[Struct]) -> set[str]:
    """The environment variables that `settings_type` is read from."""
    names = set()
    for each in fields(settings_type):
        names |= variable_names(each.type) if _is_struct(each) else {each.encode_name}
    return names


def _value(each: FieldInfo, environ: Mapping[str, str]) -> dict[str, object]:
    if _is_struct(each):
        return {each.name: load_settings(each.type, environ)}
    raw = environ.get(each.encode_name, "").strip()
    if raw:
        return {each.name: msgspec.convert(raw, each.type, strict=False)}
    if each.required:
        raise WrongSettings([f"{each.encode_name} is not set"])
    return {}


def _is_struct(each: FieldInfo) -> bool:
    return isinstance(each.type, type) and issubclass(each.type, Struct)
