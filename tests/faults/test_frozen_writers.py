"""A writer freezes at a random instant: others keep appending, and no event is lost."""

import os
import random
import signal
import subprocess
import sys
import time

import psycopg
import pytest
from eventsourcing.persistence import PersistenceError

from domain.event_store.publishing import Publishing
from domain.event_store.recorder import Recorder
from tests.fault_rounds import rounds
from tests.histories import create_post

FREEZES = rounds(300, brief=60)
APPENDS_MEANWHILE = 10
# The server ends a transaction of ours after as long.
LONGEST_DELAY_SECONDS = 3.0
# What a busy machine adds.
BUSY_SECONDS = 3.0
VICTIM = """
import sys
from domain.event_store.publishing import Publishing
from tests.histories import create_post
with Publishing(sys.argv[1], pool_size=1) as publishing:
    while True:
        outcome = publishing.execute(create_post())
        print(outcome.position, flush=True)
"""


@pytest.mark.timeout(60)
def test_a_writer_that_stalls_in_its_transaction_loses_the_lock_of_the_log(
    publishing: Publishing, database_url: str
) -> None:
    with Publishing(database_url, pool_size=1) as stalled, pytest.raises(PersistenceError):
        _append_while_it_holds_the_lock(stalled.recorder, publishing)


def _append_while_it_holds_the_lock(stalled: object, publishing: Publishing) -> None:
    assert isinstance(stalled, Recorder)
    with stalled.datastore.transaction(commit=True) as cursor:
        cursor.execute("LOCK TABLE post_events IN EXCLUSIVE MODE")
        assert _seconds_of_an_append(publishing) <= LONGEST_DELAY_SECONDS + BUSY_SECONDS


def _seconds_of_an_append(publishing: Publishing) -> float:
    started = time.monotonic()
    publishing.execute(create_post())
    return time.monotonic() - started


def test_a_frozen_writer_delays_others_by_three_seconds_at_most(
    publishing: Publishing, database_url: str
) -> None:
    instants = random.Random(6)  # noqa: S311 - instants, not secrets
    longest = 0.0
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, database_url], stdout=subprocess.PIPE, text=True
    )
    with victim:
        assert victim.stdout
        victim.stdout.readline()
        for _ in range(FREEZES):
            time.sleep(instants.uniform(0.001, 0.03))
            os.kill(victim.pid, signal.SIGSTOP)
            for _ in range(APPENDS_MEANWHILE):
                longest = max(longest, _seconds_of_an_append(publishing))
            os.kill(victim.pid, signal.SIGCONT)
        victim.kill()
        told = {int(line) for line in victim.stdout.read().split()}
    print(f"{FREEZES} freezes, the longest append took {longest:.3f} s")  # noqa: T201 - a figure
    assert longest <= LONGEST_DELAY_SECONDS
    assert len(told) > FREEZES
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT notification_id FROM post_events").fetchall()
    assert told <= {row[0] for row in rows}
