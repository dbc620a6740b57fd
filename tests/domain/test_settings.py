"""Settings: environment variables become one Struct, and what is wrong is named."""

import pytest
from msgspec import Struct, field

from domain.settings import DatabaseSettings, WrongSettings, load_settings, variable_names


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
    settings = load_settings(DatabaseSettings, {"DATABASE_URL": "x", "DB_POOL_SIZE": " "})
    assert settings.pool_size == 10


def test_every_missing_and_every_wrong_variable_is_named() -> None:
    with pytest.raises(WrongSettings) as wrong:
        load_settings(DatabaseSettings, {"DB_POOL_SIZE": "many"})
    missing, unfit = wrong.value.problems
    assert missing == "DATABASE_URL is not set"
    assert unfit.startswith("DB_POOL_SIZE is wrong")


def test_settings_within_settings_are_read_from_the_same_variables() -> None:
    settings = load_settings(NestedSettings, {"DATABASE_URL": "x", "WORKERS": "2"})
    assert settings == NestedSettings(database=DatabaseSettings(url="x"), workers=2)
    with pytest.raises(WrongSettings) as wrong:
        load_settings(NestedSettings, {"WORKERS": "many"})
    missing, unfit = wrong.value.problems
    assert missing == "DATABASE_URL is not set"
    assert unfit.startswith("WORKERS is wrong")


def test_the_variables_of_settings_within_settings_are_known() -> None:
    assert variable_names(NestedSettings) == {*variable_names(DatabaseSettings), "WORKERS"}
