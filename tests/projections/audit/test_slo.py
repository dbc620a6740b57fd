"""How long posts took from complete to published, and why others failed, from the projection."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.event_store.publishing import Publishing
from projections.audit.slo import Slo, measure_runs, share_within, slo_of, spread
from projections.follow.batch import project_batch
from projections.follow.projection import AUDIT
from projections.rebuild.verify import verify
from tests.histories import (
    NOON,
    confirm_upload,
    create_post,
    delete_post,
    fail_post,
    publishing_commands,
    retry_post,
)
from tests.sql import Connections

pytestmark = pytest.mark.anyio


async def measured(
    connections: Connections, *, since: datetime | None = None, until: datetime | None = None
) -> Slo:
    """The figures after the projection has followed the log, in batches of any size."""
    async with connections.connection() as connection:
        while (await project_batch(connection, AUDIT, limit=3)).events:
            pass
        assert not (await verify(connection, AUDIT)).differences
        return slo_of(
            await measure_runs(connection, since=since, until=until), since=since, until=until
        )


def start(publishing: Publishing, *, at: datetime = NOON) -> UUID:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    publishing.execute(confirm_upload(post_id, at=at))
    return post_id


def test_percentiles_are_measured_times() -> None:
    histogram = {1000: 8, 4000: 1, 10_000: 1, 0: 1}
    found = spread(histogram)
    assert (found.count, found.p50, found.p90, found.p99, found.max) == (11, 1, 4, 10, 10)
    assert [share_within(histogram, limit) for limit in (2, 5)] == [9 / 11, 10 / 11]


def test_nothing_measured_is_not_zero() -> None:
    assert spread({}).p50 is None
    assert share_within({}, 2) is None


async def test_the_promise_is_judged_by_the_events(
    publishing: Publishing, connections: Connections
) -> None:
    for command in publishing_commands(uuid4()):
        publishing.execute(command)
    slo = await measured(connections)
    assert slo.complete_to_published.count == 1
    assert slo.complete_to_published.max is not None
    assert slo.share_within == {"2": 1.0, "5": 1.0}
    assert {stage.count for stage in slo.stages.values()} == {1}
    assert (slo.failures, slo.unfinished) == ({}, 0)
    assert slo.not_recorded == ("projection",)


async def test_a_failure_counts_by_its_code_and_each_retry_begins_anew(
    publishing: Publishing, connections: Connections
) -> None:
    again, given_up, waiting = (start(publishing) for _ in range(3))
    for post_id in (again, given_up):
        publishing.execute(fail_post(post_id, code="internal_error"))
    publishing.execute(retry_post(again))
    publishing.execute(fail_post(again, code="out_of_memory"))
    publishing.execute(delete_post(given_up))
    slo = await measured(connections)
    assert slo.failures == {"internal_error": 2, "out_of_memory": 1}
    assert slo.unfinished == 1
    publishing.execute(delete_post(waiting))
    assert (await measured(connections)).unfinished == 0


async def test_only_runs_of_the_span_are_measured(
    publishing: Publishing, connections: Connections
) -> None:
    for minute in (0, 20, 40):
        start(publishing, at=NOON + timedelta(minutes=minute))
    since = NOON + timedelta(minutes=20)
    assert (await measured(connections, since=since)).unfinished == 2
    assert (await measured(connections, until=since)).unfinished == 1


async def test_the_figures_say_up_to_which_event_they_count(
    publishing: Publishing, connections: Connections
) -> None:
    start(publishing)
    assert (await measured(connections)).measured_up_to == 2


async def test_a_run_ends_once_though_its_post_is_deleted_in_the_same_batch(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = start(publishing)
    await measured(connections)
    publishing.execute(fail_post(post_id, code="out_of_memory"))
    publishing.execute(delete_post(post_id))
    assert (await measured(connections)).failures == {"out_of_memory": 1}
