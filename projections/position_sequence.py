"""The sequence that positions come from: brought above the log where a copy has left it behind.

Logical replication, upgrades by it and data-only restores copy the log without its sequence. Until
it is mended, the database refuses every append.
"""

from typing import Any, Final

from msgspec import Struct
from psycopg import Connection
from psycopg.rows import class_row

# Followers that are ahead of a restored log would not see events at positions they have passed.
_MEND: Final = """
WITH passed AS (
    SELECT greatest(
        (SELECT max(notification_id) FROM post_events),
        (SELECT max(position) FROM projection_positions),
        (SELECT position FROM log_sealing)
    ) AS position
), behind AS (
    SELECT last_value + is_called::integer AS was, passed.position + 1 AS now
    FROM post_events_notification_id_seq, passed
    WHERE last_value + is_called::integer <= passed.position
)
SELECT was, setval('post_events_notification_id_seq', now, false) AS now FROM behind
"""


class Mended(Struct, frozen=True, kw_only=True):
    """The next position, as it `was` and as it is `now`."""

    was: int
    now: int


def mend_sequence(connection: Connection[Any]) -> Mended | None:
    """Move the next position above all that the log and its followers have passed.

    Returns None where it is above them already.

    Raises:
        psycopg.Error: the tables do not exist, or belong to another role.
    """
    with connection.transaction(), connection.cursor(row_factory=class_row(Mended)) as cursor:
        cursor.execute("LOCK TABLE post_events IN EXCLUSIVE MODE")
        return cursor.execute(_MEND).fetchone()
