"""How the queue itself scales: more and more workers that only wait, on one database.

The database waits for its disk: this speaks of capacity.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import uuid4

import psycopg

from domain.event_store.publishing import Publishing
from tests.histories import confirm_upload, create_post

RENDER_SECONDS: Final = 0.5
JOBS_PER_WORKER: Final = 12
SHARE_OF_IDEAL: Final = 0.9
FINISHED_WITHIN_SECONDS: Final = 300

_PUBLISHED: Final = """
SELECT count(*), max(event_recorded_at(state)) - min(event_recorded_at(state))
FROM post_events WHERE topic = 'post.published' AND notification_id > %s
"""
_FILL_BULK_LANE: Final = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, args)
SELECT 'bulk', 'post.reprocess', -number / 100, 'post:' || gen_random_uuid(),
       jsonb_build_object('post_id', gen_random_uuid(), 'user_id', gen_random_uuid())
FROM generate_series(1, %s) AS number
"""
_HEAD: Final = "SELECT coalesce(max(notification_id), 0) FROM post_events"


def test_workers_that_only_wait_scale(durable_url: str, is_measuring: bool) -> None:
    print(f"\nworkers that wait {RENDER_SECONDS:g} s per post, one post at a time")
    shares = {}
    for number in (1, 2, 4, 8, 16, 32) if is_measuring else (1, 3):
        ideal = number / RENDER_SECONDS
        rate = jobs_per_second(durable_url, number)
        shares[number] = rate / ideal
        print(f"  {number:3} workers {rate:6.1f} jobs/s, {rate / ideal:.2f} of what they could")
    if is_measuring:
        assert min(shares.values()) >= SHARE_OF_IDEAL


def test_the_ceiling_of_the_queue(durable_url: str, is_measuring: bool) -> None:
    number = 8 if is_measuring else 2
    rate = jobs_per_second(durable_url, number, render_seconds=0.0, each=60)
    print(f"\n{number} workers that do not even wait: {rate:.0f} jobs/s, 4 appends each")


def test_the_ceiling_beside_a_deep_bulk_lane(durable_url: str, is_measuring: bool) -> None:
    number, each, deep = (8, 60, 50_000) if is_measuring else (2, 3, 100)
    with psycopg.connect(durable_url, autocommit=True) as connection:
        connection.execute(_FILL_BULK_LANE, [deep])
        connection.execute("VACUUM ANALYZE procrastinate_jobs")
    rate = jobs_per_second(durable_url, number, render_seconds=0.0, each=each)
    print(f"\nbeside {deep:,} bulk jobs that wait: {rate:.0f} jobs/s")


def jobs_per_second(
    url: str, number: int, *, render_seconds: float = RENDER_SECONDS, each: int = JOBS_PER_WORKER
) -> float:
    """From the first publication to the last, once every worker has had a post."""
    with psycopg.connect(url, autocommit=True) as connection:
        [(before,)] = connection.execute(_HEAD).fetchall()
        queue_posts(url, number * each)
        command = [sys.executable, "-m", "benchmarks.waiting_workers", str(number)]
        environ = {**os.environ, "DATABASE_URL": url}
        with subprocess.Popen([*command, str(render_seconds)], env=environ) as workers:
            try:
                deadline = time.monotonic() + FINISHED_WITHIN_SECONDS
                while True:
                    [(done, span)] = connection.execute(_PUBLISHED, [before]).fetchall()
                    if done == number * each:
                        return float((done - number) / span.total_seconds())
                    assert time.monotonic() < deadline, f"{done} of {number * each} are done"
                    time.sleep(0.2)
            finally:
                workers.terminate()


def queue_posts(url: str, number: int) -> None:
    """So many uploaded posts."""
    with Publishing(url) as publishing, ThreadPoolExecutor(4) as writers:

        def upload(_: int) -> None:
            post_id = uuid4()
            publishing.execute(create_post(post_id))
            publishing.execute(confirm_upload(post_id))

        list(writers.map(upload, range(number)))
