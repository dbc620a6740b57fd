"""The same job on two workers at once: one outcome and three variants, whichever is faster."""

import hashlib
from uuid import uuid4

import anyio
import pytest
from prometheus_client import REGISTRY

from domain.event_store.publishing import Publishing
from domain.events import topic_of
from domain.keys import original_key
from domain.recipes import RECIPES
from tests.fake_object_store import FakeObjectStore
from tests.histories import confirm_upload, create_post
from tests.transcoder.rendered import FakeRenderer, transcoding_with
from transcoder.jobs.work import Work

pytestmark = pytest.mark.anyio

TIMES = 500
PUBLISHED = {"outcome": "published", "code": ""}
CONTENT = b"the bytes of an original"


async def test_a_job_that_is_forced_on_two_workers_has_one_outcome_500_times(
    publishing: Publishing, database_url: str
) -> None:
    store = FakeObjectStore()
    with Publishing(database_url) as elsewhere:
        workers = [
            transcoding_with(each, store, FakeRenderer()) for each in (publishing, elsewhere)
        ]
        counted = published_posts()
        for _ in range(TIMES):
            post_id = uuid4()
            sha256 = hashlib.sha256(CONTENT).hexdigest()
            publishing.execute(create_post(post_id, sha256=sha256, file_size=len(CONTENT)))
            publishing.execute(confirm_upload(post_id))
            store.arrive(original_key(post_id), CONTENT)
            job = Work(post_id=post_id, correlation_id=uuid4(), causation_id=uuid4(), attempt=1)
            async with anyio.create_task_group() as both:
                for worker in workers:
                    both.start_soon(worker.run, job)
            topics = [topic_of(event) for event in publishing.history(post_id)]
            assert topics[2:] == [*["post.variant_ready"] * len(RECIPES), "post.published"]
    # Whoever watches sees each of them once, too.
    assert published_posts() - counted == TIMES


def published_posts() -> float:
    """How many the metrics of this process tell."""
    return REGISTRY.get_sample_value("nova_posts_ended_total", PUBLISHED) or 0.0
