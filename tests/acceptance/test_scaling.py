"""docs/scaling.md: its query runs on the real queue and estimates the waiting work."""

import re
from pathlib import Path
from uuid import uuid4

import psycopg

from domain.event_store.publishing import Publishing
from tests.histories import confirm_upload, create_post

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"


def test_the_query_to_scale_on_tells_how_much_work_waits(
    publishing: Publishing, database_url: str
) -> None:
    [query] = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for _ in range(4):
        post_id = uuid4()
        publishing.execute(create_post(post_id))
        publishing.execute(confirm_upload(post_id))
    with psycopg.connect(database_url) as connection:
        # One of them waits for its next attempt: no worker could run it.
        connection.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 minute'"
            " WHERE id = (SELECT min(id) FROM procrastinate_jobs)"
        )
        [(seconds,)] = connection.execute(query.encode()).fetchall()
    # About an eighth of a second per photo, as the page says.
    assert 0.3 < float(seconds) < 0.6
