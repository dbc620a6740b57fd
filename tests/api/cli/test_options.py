"""Options that several verbs share: times are absolute or relative, and UTC by default."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from api.cli.options import parse_time


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_time_can_be_so_long_ago(text: str, ago: timedelta) -> None:
    assert abs(datetime.now(UTC) - ago - parse_time(text)) < timedelta(seconds=10)


def test_a_time_is_utc_unless_it_has_an_offset() -> None:
    assert parse_time("2026-11-23T12:00:00") == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert parse_time("2026-11-23T12:00:00+02:00") == datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["soon", "7w", "1000000000d"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_time(text)
