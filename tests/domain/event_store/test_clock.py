"""The clock of the database, before there is a connection to read it over."""

from datetime import UTC, datetime, timedelta

from domain.event_store.publishing import Publishing


def test_a_database_that_is_down_keeps_no_process_from_starting() -> None:
    with Publishing("postgresql://nova@127.0.0.1:1/nova?connect_timeout=1") as publishing:
        # Until a connection is there, this machine's clock has to do.
        assert abs(publishing.now() - datetime.now(UTC)) < timedelta(seconds=1)
