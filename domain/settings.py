"""Settings: environment variables become one frozen Struct per process, composed of small ones.

A field names its variable in full (`msgspec.field(name="DATABASE_URL")`). Only the `settings.py` of
each package reads the environment.
"""

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct, field
from msgspec.inspect import (
    BoolType,
    FloatType,
    IntType,
    LiteralType,
    NoneType,
    StrType,
    Type,
    UnionType,
    type_info,
)
from msgspec.structs import FieldInfo, fields, force_setattr

from domain.database_url import is_database_url, limited

SettingsT = TypeVar("SettingsT", bound=Struct)


# The patterns of the settings that are URLs.
WEB_URL: Final = "^https?://"
SECURE_URL: Final = "^https://"
_URL_STARTS: Final = {WEB_URL: "http:// or https://", SECURE_URL: "https://"}
_NO_DATABASE_URL: Final = (
    "{name} is wrong: use postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with special "
    "characters of the password percent-encoded (@ is %40), or libpq's key=value pairs"
)


class TelemetrySettings(Struct, frozen=True, kw_only=True):
    """Where a process serves its metrics and sends its traces; unset means not at all."""

    metrics_host: str = field(default="127.0.0.1", name="METRICS_HOST")
    metrics_port: Annotated[int, Meta(ge=1, le=65535)] | None = field(
        default=None, name="METRICS_PORT"
    )
    otlp_endpoint: Annotated[str, Meta(pattern=WEB_URL)] | None = field(
        default=None, name="OTEL_EXPORTER_OTLP_ENDPOINT"
    )


class DatabaseSettings(Struct, frozen=True, kw_only=True):
    """The PostgreSQL that holds the events, as libpq's key=value pairs with timeouts.

    `url` may lead through a pooler in transaction mode if `direct_url` leads past it. `read_url`
    may lead to a standby, for audits.
    """

    url: str = field(name="DATABASE_URL")
    direct_url: str | None = field(default=None, name="DATABASE_DIRECT_URL")
    read_url: str | None = field(default=None, name="DATABASE_READ_URL")
    pool_size: Annotated[int, Meta(ge=1)] = field(default=10, name="DB_POOL_SIZE")

    def __post_init__(self) -> None:
        """Check the connection strings, and add the timeouts that they do not set.

        Raises:
            WrongSettings: libpq cannot read one; the message shows no part of it.
        """
        force_setattr(self, "url", read_database_url("DATABASE_URL", self.url))
        if self.direct_url is not None:
            direct_url = read_database_url("DATABASE_DIRECT_URL", self.direct_url)
            force_setattr(self, "direct_url", direct_url)
        if self.read_url is not None:
            force_setattr(self, "read_url", read_database_url("DATABASE_READ_URL", self.read_url))

    @property
    def session_url(self) -> str:
        """The connection string for what needs a session: LISTEN, locks, settings."""
        return self.direct_url or self.url

    @property
    def is_pooled(self) -> bool:
        """Whether connections to `url` keep no session."""
        return self.direct_url is not None


class WrongSettings(Exception):
    """One or more environment variables are missing or wrong; the message names each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_database_url(name: str, url: str) -> str:
    """The value of the variable `name` as libpq's key=value pairs, with network timeouts.

    Raises:
        WrongSettings: libpq cannot read it; the message shows no part of it.
    """
    if not is_database_url(url):
        raise WrongSettings([_NO_DATABASE_URL.format(name=name)])
    return limited(url)


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
            # msgspec names types, and never shows the value, which may be a secret.
            hint = _expected(type_info(each.type))
            problems.append(f"{each.encode_name} is wrong: {hint or error}")
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


def _expected(expected: Type) -> str:
    """What to use, in words; empty for a type that no setting has."""
    match expected:
        case UnionType(types=types):
            return next(_expected(each) for each in types if not isinstance(each, NoneType))
        case LiteralType(values=values):
            return f"use {' or '.join(map(str, values))}"
        case BoolType():
            return "use true or false"
        case IntType(ge=least, le=most):
            return f"use a whole number{_bounds(least, most)}"
        case FloatType(ge=least, le=most):
            return f"use a number{_bounds(least, most)}"
        case StrType(min_length=int(length)):
            return f"use at least {length} characters"
        case StrType(pattern=str(pattern)):
            return f"use a URL that begins with {_URL_STARTS[pattern]}"
        case _:
            return ""


def _bounds(least: float | None, most: float | None) -> str:
    if most is None:
        return "" if least is None else f" of at least {least:g}"
    return f" from {least:g} to {most:g}"


def _is_struct(each: FieldInfo) -> bool:
    return isinstance(each.type, type) and issubclass(each.type, Struct)
