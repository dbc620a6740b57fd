"""Settings: environment variables become one Struct, and what is wrong is named."""

from datetime import date
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct, field

from domain.settings import (
    SECURE_URL,
    WEB_URL,
    DatabaseSettings,
    WrongSettings,
    load_settings,
    variable_names,
)


class SettingsOfEveryKind(Struct, frozen=True):
    """A setting of each type that some process has, and one that none has."""

    kind: Literal["development", "production"] = field(name="KIND", default="development")
    is_on: bool = field(name="IS_ON", default=True)
    port: Annotated[int, Meta(ge=1, le=65535)] | None = field(name="PORT", default=None)
    seconds: Annotated[float, Meta(ge=0)] = field(name="SECONDS", default=0.5)
    secret: Annotated[str, Meta(min_length=32)] = field(name="SECRET", default="")
    web: Annotated[str, Meta(pattern=WEB_URL)] | None = field(name="WEB", default=None)
    secure: Annotated[str, Meta(pattern=SECURE_URL)] | None = field(name="SECURE", default=None)
    day: date | None = field(name="DAY", default=None)


class NestedSettings(Struct, frozen=True):
    """Settings of a process that has a database."""

    database: DatabaseSettings
    workers: int = field(name="WORKERS", default=1)


def test_variables_are_converted_to_their_fields() -> None:
    settings = load_settings(
        DatabaseSettings, {"DATABASE_URL": "postgresql://x", "DB_POOL_SIZE": "3"}
    )
    assert settings == DatabaseSettings(url="postgresql://x", pool_size=3)


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = load_settings(
        DatabaseSettings, {"DATABASE_URL": "postgresql://x", "DB_POOL_SIZE": " "}
    )
    assert settings.pool_size == 10


def test_every_missing_and_every_wrong_variable_is_named() -> None:
    with pytest.raises(WrongSettings) as wrong:
        load_settings(DatabaseSettings, {"DB_POOL_SIZE": "many"})
    missing, unfit = wrong.value.problems
    assert missing == "DATABASE_URL is not set"
    assert unfit == "DB_POOL_SIZE is wrong: use a whole number of at least 1"


def test_settings_within_settings_are_read_from_the_same_variables() -> None:
    settings = load_settings(NestedSettings, {"DATABASE_URL": "postgresql://x", "WORKERS": "2"})
    assert settings == NestedSettings(database=DatabaseSettings(url="postgresql://x"), workers=2)
    with pytest.raises(WrongSettings) as wrong:
        load_settings(NestedSettings, {"WORKERS": "many"})
    missing, unfit = wrong.value.problems
    assert missing == "DATABASE_URL is not set"
    assert unfit == "WORKERS is wrong: use a whole number"


def test_the_variables_of_settings_within_settings_are_known() -> None:
    assert variable_names(NestedSettings) == {*variable_names(DatabaseSettings), "WORKERS"}


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("KIND", "prod", "use development or production"),
        ("IS_ON", "maybe", "use true or false"),
        ("PORT", "http", "use a whole number from 1 to 65535"),
        ("SECONDS", "soon", "use a number of at least 0"),
        ("SECRET", "hunter2", "use at least 32 characters"),
        ("WEB", "cdn.example", "use a URL that begins with http:// or https://"),
        ("SECURE", "http://idp", "use a URL that begins with https://"),
        ("DAY", "today", "Invalid RFC3339 encoded date"),
    ],
)
def test_a_wrong_setting_says_what_to_use_and_never_shows_its_value(
    name: str, value: str, advice: str
) -> None:
    with pytest.raises(WrongSettings) as wrong:
        load_settings(SettingsOfEveryKind, {name: value})
    assert wrong.value.problems == [f"{name} is wrong: {advice}"]


def test_a_database_url_that_is_none_is_refused_without_a_word_of_it() -> None:
    with pytest.raises(WrongSettings, match=r"^DATABASE_URL is wrong: use postgresql://") as wrong:
        load_settings(NestedSettings, {"DATABASE_URL": "postgresq://nova:hunter2@host/db"})
    assert "hunter2" not in str(wrong.value)
