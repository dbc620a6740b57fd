"""Writers of the log, in a process of their own: posts announced and uploaded, one after the other.

Run as `python -m benchmarks.log_writers HOW WRITERS SECONDS`, with `DATABASE_URL` set, where HOW is
`procedure` for the append as it is, and `statement` for one that waits for the disk with the lock
of the log. Prints the seconds of each append as JSON.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import uuid4

from domain.event_store import recorder
from domain.event_store.publishing import Publishing
from tests.histories import confirm_upload, create_post

STATEMENT: Final = """
SELECT ARRAY(SELECT append_post_events(
    %(post_id)s, %(versions)s, %(topics)s, %(states)s, %(jobs)s, %(queue_capacity)s
)) AS positions
"""


def main() -> None:
    """Append for so long."""
    how, writers, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    if how == "statement":
        setattr(recorder, "_APPEND", STATEMENT)  # noqa: B010 - private to the recorder
    url = os.environ["DATABASE_URL"]
    with Publishing(url, pool_size=writers) as publishing, ThreadPoolExecutor(writers) as threads:
        # Every writer has its connection before the time counts.
        list(threads.map(lambda _: publishing.execute(create_post()), range(writers)))
        ends = time.perf_counter() + seconds
        taken = threads.map(lambda _: _append_until(publishing, ends), range(writers))
        print(json.dumps([each for one in taken for each in one]))


def _append_until(publishing: Publishing, ends: float) -> list[float]:
    taken: list[float] = []
    while time.perf_counter() < ends:
        post_id = uuid4()
        for command in (create_post(post_id, user_id=uuid4()), confirm_upload(post_id)):
            started = time.perf_counter()
            publishing.execute(command)
            taken.append(time.perf_counter() - started)
    return taken


if __name__ == "__main__":
    main()
