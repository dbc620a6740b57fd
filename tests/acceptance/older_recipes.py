"""Older recipes: the log rewritten as if a post had been rendered with the first recipe version."""

import psycopg

from domain.recipes import RECIPE_VERSION


def pretend_older(url: str, post_id: str) -> None:
    """Set the recipe version of a post's events to 1."""
    now, before = (f'"recipe_version":{version}' for version in (RECIPE_VERSION, 1))
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE post_events DISABLE TRIGGER USER")
        connection.execute(
            "UPDATE post_events SET state = replace(convert_from(state, 'UTF8'), %s, %s)::bytea"
            " WHERE originator_id = %s",
            [now, before, post_id],
        )
        connection.execute("ALTER TABLE post_events ENABLE TRIGGER USER")
