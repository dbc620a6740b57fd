"""How long posts took from complete to published, measured from the events alone."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.event_store.publishing import Publishing
from projections.audit.events import (
    AuditedEvent,
)
from projections.audit.slo import SloMeter, measure_slo
from tests.histories import (
    NOON,
    confirm_upload,
    create_post,
)

pytestmark = pytest.mark.anyio

Connections = AsyncConnectionPool[AsyncConnection[object]]


def logged(post_id: UUID, kind: str, *, at: float, **data: object) -> AuditedEvent:
    recorded_at = (NOON + timedelta(seconds=at)).isoformat()
    return AuditedEvent(
        position=1,
        post_id=post_id,
        version=1,
        type=kind,
        recorded_at=recorded_at,
        actor="system:transcoder",
        correlation_id=None,
        causation_id=None,
        data=data,
    )


def published_in(seconds: float) -> Iterator[AuditedEvent]:
    post_id = uuid4()
    yield logged(post_id, "post.created", at=-10)
    yield logged(post_id, "post.uploaded", at=0)
    for share in (0.5, 0.6, 0.8):
        yield logged(post_id, "post.variant_ready", at=seconds * share, milliseconds=20.0)
    stages = {"queue_ms": 100, "download_ms": 20, "transcode_ms": 500 * seconds, "upload_ms": 30}
    yield logged(post_id, "post.published", at=seconds, stages=stages)


def test_the_promise_is_judged_by_the_events() -> None:
    meter = SloMeter()
    for seconds in (*(1.0,) * 8, 4.0, 10.0):
        for event in published_in(seconds):
            meter.take(event)
    for code in ("corrupt_image", "corrupt_image", "too_large"):
        post_id = uuid4()
        meter.take(logged(post_id, "post.uploaded", at=0))
        meter.take(logged(post_id, "post.failed", at=1, code=code))
    meter.take(logged(uuid4(), "post.uploaded", at=0))
    meter.take(logged(uuid4(), "post.published", at=0))
    for event in (logged(post_id := uuid4(), "post.uploaded", at=0), _of_version_2(post_id)):
        meter.take(event)
    slo = meter.result(since=None, until=None)
    whole = slo.complete_to_published
    assert (whole.count, whole.p50, whole.p90, whole.p99, whole.max) == (11, 1, 4, 10, 10)
    assert slo.share_within == {"2": 9 / 11, "5": 10 / 11}
    assert slo.failures == {"corrupt_image": 2, "too_large": 1}
    assert slo.unfinished == 1
    assert {name: stage.p50 for name, stage in slo.stages.items()} == {
        "queue_wait": 0.1,
        "download": 0.02,
        "transcode": 0.5,
        "upload": 0.03,
    }
    assert (slo.stages["transcode"].count, slo.stages["transcode"].max) == (10, 5.0)
    assert slo.not_recorded == ("projection",)


def test_a_post_that_was_tried_again_counts_from_then() -> None:
    meter = SloMeter()
    post_id = uuid4()
    for kind, at in (("uploaded", 0), ("failed", 1), ("retried", 500), ("published", 501)):
        meter.take(logged(post_id, f"post.{kind}", at=at))
    assert meter.result(since=None, until=None).complete_to_published.max == 1


def _of_version_2(post_id: UUID) -> AuditedEvent:
    return logged(post_id, "post.published", at=1)


def test_nothing_measured_is_not_zero() -> None:
    slo = SloMeter().result(since=None, until=None)
    assert slo.complete_to_published.p50 is None
    assert slo.share_within == {"2": None, "5": None}


async def test_only_uploads_of_the_span_are_measured(
    publishing: Publishing, connections: Connections
) -> None:
    for minute in (0, 20, 40):
        post_id = uuid4()
        publishing.execute(create_post(post_id))
        publishing.execute(confirm_upload(post_id, at=NOON + timedelta(minutes=minute)))
    meter = SloMeter()
    async with connections.connection() as connection:
        since = NOON + timedelta(minutes=20)
        async for meter in measure_slo(connection, since=since, until=None):  # noqa: B007
            pass
    assert meter.result(since=since, until=None).unfinished == 2
