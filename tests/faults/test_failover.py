"""A standby is promoted under load: what was acknowledged is there, and every process goes on."""

import time
from collections.abc import Iterator, Sized
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from domain.event_store.publishing import Publishing
from tests.acceptance.stacks import run_local_stack
from tests.api.stack.running import wait_until
from tests.fault_rounds import FULL, rounds
from tests.faults.invariants import assert_nothing_lost
from tests.faults.patient_app import PatientApp
from tests.faults.processes import is_ready
from tests.faults.writers import lost_of, writing
from tests.histories import create_post
from tests.server_pairs import Pair, run_pair

WRITERS = 16
FAILOVERS = rounds(10, brief=1)
# How long the standby gets nothing before the primary dies: a synchronous one holds appends up.
CUT_OFF_SECONDS = 0.5
# How long the primary is gone before the standby is promoted: Patroni takes 30 s.
GONE_SECONDS = 30
# They take less than 10 s; a busy machine may take longer.
RECOVERED_WITHIN_SECONDS = 30

_SEQUENCE = "SELECT pg_sequence_last_value('post_events_notification_id_seq')"
_HEAD = "SELECT max(notification_id) FROM post_events"
_CANCEL_WAITS = """
SELECT bool_or(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'
"""
_USAGE = "SELECT position FROM projection_positions WHERE projection = 'usage'"


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with run_pair(request.param) as pair:
        yield pair


def wait_until_more_are(acknowledged: Sized) -> None:
    """Wait until several events of each writer have been acknowledged, on average."""
    before = len(acknowledged)
    wait_until(lambda: len(acknowledged) > before + 3 * WRITERS)


def fail_over_under_load(pair: Pair) -> tuple[int, set[str]]:
    """How many events were acknowledged, and which of them the promoted standby lacks."""
    with writing(pair.url, WRITERS) as acknowledged:
        wait_until_more_are(acknowledged)
        pair.cut_off()
        if pair.is_synchronous:
            time.sleep(CUT_OFF_SECONDS)
        else:
            wait_until_more_are(acknowledged)
        pair.lose_primary()
        pair.promote()
        # The writers go on meanwhile: the head first.
        head = pair.primary.ask(_HEAD)
        assert pair.primary.ask(_SEQUENCE) >= head
        wait_until_more_are(acknowledged)
    return len(acknowledged), lost_of(acknowledged, pair.url)


@pytest.mark.parametrize("pair", ["sync"], indirect=True)
def test_a_promoted_synchronous_standby_has_everything_that_was_acknowledged(pair: Pair) -> None:
    total = 0
    for failover in range(FAILOVERS):
        if failover:
            pair.join()
        acknowledged, lost = fail_over_under_load(pair)
        assert lost == set()
        total += acknowledged
    print(f"{FAILOVERS} failovers, {total} events acknowledged, 0 lost")  # noqa: T201 - a figure
    assert total > FAILOVERS * WRITERS


@pytest.mark.parametrize("pair", ["async"], indirect=True)
def test_an_asynchronous_standby_lacks_what_it_had_not_received(pair: Pair) -> None:
    acknowledged, lost = fail_over_under_load(pair)
    print(f"{acknowledged} events acknowledged, {len(lost)} lost")  # noqa: T201 - a figure
    assert lost


@pytest.mark.parametrize("pair", ["sync"], indirect=True)
def test_an_append_whose_wait_for_the_standby_is_cancelled_waits_again(pair: Pair) -> None:
    with Publishing(pair.url) as publishing, ThreadPoolExecutor(1) as beside:
        pair.cut_off()
        appended = beside.submit(publishing.execute, create_post())
        for _ in range(2):
            wait_until(lambda: pair.primary.ask(_CANCEL_WAITS) is True)
        time.sleep(CUT_OFF_SECONDS)
        assert not appended.done()
        pair.lose_primary()
        pair.promote()
        position = appended.result().position
        assert pair.primary.ask(_HEAD) == position


@pytest.mark.skipif(not FULL, reason="takes half a minute: `just faults` runs it")
@pytest.mark.parametrize("pair", ["sync"], indirect=True)
def test_every_process_goes_on_by_itself_once_a_standby_is_promoted(
    pair: Pair, jpeg: bytes
) -> None:
    with run_local_stack({"DATABASE_URL": pair.url}) as stack:
        with httpx.Client(base_url=stack.url, timeout=30) as http:
            app = PatientApp(http, secret=stack.environ["JWT_SECRET"])
            posts = [app.upload(jpeg)]
            app.final(posts)
            processes = dict(stack.pids)
            with writing(pair.url, 2):
                pair.lose_primary()
                wait_until(lambda: not is_ready(http, stack.url))
                time.sleep(GONE_SECONDS)
                pair.promote()
                recovered = recovery_seconds(pair, app, jpeg)
        print({name: round(seconds, 1) for name, seconds in recovered.items()})  # noqa: T201
        assert max(recovered.values()) < RECOVERED_WITHIN_SECONDS
        assert dict(stack.pids) == processes
        assert_nothing_lost(stack, posts)


def recovery_seconds(pair: Pair, app: PatientApp, photo: bytes) -> dict[str, float]:
    """How long each process took from the promotion until it did its work again."""
    promoted = time.monotonic()
    head = pair.primary.ask(_HEAD)
    recovered = {}

    def project() -> None:
        wait_until(lambda: pair.primary.ask(_USAGE) > head)
        recovered["projector"] = time.monotonic() - promoted

    with ThreadPoolExecutor(1) as beside:
        projected = beside.submit(project)
        opened = app.init(photo)
        recovered["api"] = time.monotonic() - promoted
        app.put(opened, photo)
        app.complete(opened)
        app.final([opened["post_id"]])
        recovered["worker"] = time.monotonic() - promoted
        projected.result()
    return recovered
