"""Settings: environment variables become one Struct, and what is wrong is named."""

import pytest

from domain.settings import DatabaseSettings, WrongSettings, load_settings


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
