"""Appends on a durable server: beside an append that holds the lock while it waits for the disk."""

import json
import os
import subprocess
import sys
from statistics import median, quantiles
from typing import Final, NamedTuple

import psycopg

ROUNDS: Final = 3
ROUND_SECONDS: Final = 4.0
PROCESSES: Final = 4
# What a commit takes longer than on this disk, in milliseconds; PostgreSQL waits for as long.
ADDED: Final = (0, 2, 5)
WRITERS: Final = (1, 4, 16, 48)
# With one writer at least as many appends; with 16 of them and 2 ms, five times as many.
BARS: Final = {(0, 1): 0.95, (2, 1): 0.95, (5, 1): 0.95, (2, 16): 5.0}


class Figures(NamedTuple):
    """What the writers of one round reached."""

    per_second: float
    p99_ms: float


def test_appends_wait_for_the_disk_outside_the_lock(
    durable_url: str, *, is_measuring: bool
) -> None:
    rounds, seconds = (ROUNDS, ROUND_SECONDS) if is_measuring else (1, 0.5)
    cases = [(added, writers) for added in ADDED for writers in WRITERS]
    print(f"\n{'commit':>8} {'writers':>8} {'statement':>11} {'procedure':>11} {'ratio':>6} p99 ms")
    ratios = {}
    for added, writers in cases if is_measuring else [(2, 4)]:
        _set_commit_delay(durable_url, milliseconds=added)
        found: dict[str, list[Figures]] = {"statement": [], "procedure": []}
        for _ in range(rounds):
            for how, figures in found.items():
                figures.append(_measure(durable_url, how, writers=writers, seconds=seconds))
        rates = {how: median(one.per_second for one in each) for how, each in found.items()}
        tails = {how: median(one.p99_ms for one in each) for how, each in found.items()}
        ratios[added, writers] = rates["procedure"] / rates["statement"]
        print(
            f"{f'+{added} ms':>8} {writers:>8} {rates['statement']:>9,.0f}/s"
            f" {rates['procedure']:>9,.0f}/s {ratios[added, writers]:>6.2f}"
            f" {tails['statement']:.0f} -> {tails['procedure']:.0f}"
        )
    if is_measuring:
        assert {case: ratios[case] for case, bar in BARS.items() if ratios[case] < bar} == {}


def _set_commit_delay(url: str, *, milliseconds: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in (("commit_delay", milliseconds * 1000), ("commit_siblings", 0)):
            connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")


def _measure(url: str, how: str, *, writers: int, seconds: float) -> Figures:
    processes = min(PROCESSES, writers)
    command = [sys.executable, "-m", "benchmarks.log_writers", how]
    environ = {**os.environ, "DATABASE_URL": url}
    running = [
        subprocess.Popen(
            [*command, str(writers // processes), str(seconds)],
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    taken = [each for process in running for each in json.loads(process.communicate()[0])]
    # Or the next round would count thousands of waiting jobs.
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE procrastinate_jobs CASCADE")
    return Figures(len(taken) / seconds, quantiles(taken, n=100)[-1] * 1000)
