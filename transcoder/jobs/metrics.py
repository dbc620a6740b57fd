"""Metrics of a worker process: attempts, the outcome of posts, and the time of each stage."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from procrastinate import JobContext
from prometheus_client import Counter, Histogram

from domain.events import Event, PostFailed, PostNotReprocessed
from transcoder.errors import codes

JOBS: Final = Counter("nova_jobs", "Attempts at jobs, by how they ended.", ["task", "outcome"])
JOB_SECONDS: Final = Histogram(
    "nova_job_seconds",
    "Seconds that an attempt took.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
POSTS: Final = Counter(
    "nova_posts_ended", "Posts that were published or have failed.", ["outcome", "code"]
)
REPROCESSED: Final = Counter(
    "nova_posts_reprocessed",
    "Published posts that were reprocessed, or could not be.",
    ["outcome", "code"],
)
ATTEMPTS: Final = Histogram(
    "nova_post_attempts", "The attempt that ended a post.", buckets=(1, 2, 3, 4, 6, 8)
)
STAGE_SECONDS: Final = Histogram(
    "nova_post_stage_seconds",
    "Seconds of each stage of a published post.",
    ["stage"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
STEP_SECONDS: Final = Histogram(
    "nova_transcode_step_seconds",
    "Seconds of each step of the image transcoder.",
    ["step"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
FAILED_ATTEMPTS: Final = Counter(
    "nova_attempts_failed", "Failed attempts that are followed by another one, by code.", ["code"]
)


def _show_from_the_start() -> None:
    """Create all series at 0: one that begins with its first failure never seems to rise."""
    POSTS.labels("published", "")
    for code in codes():
        POSTS.labels("failed", code)
        FAILED_ATTEMPTS.labels(code)


_show_from_the_start()


async def count_job(
    call_next: Callable[[], Awaitable[Any]], context: JobContext, _: object
) -> object:
    """Count an attempt; a middleware of the queue's worker."""
    task, started = context.job.task_name, time.monotonic()
    outcome = "raised"
    try:
        result = await call_next()
        outcome = "done"
    finally:
        JOBS.labels(task, outcome).inc()
        JOB_SECONDS.labels(task).observe(time.monotonic() - started)
    return result


def count_published(*, attempt: int, stages_ms: dict[str, int], steps_ms: dict[str, float]) -> None:
    """Count a published post."""
    POSTS.labels("published", "").inc()
    ATTEMPTS.observe(attempt)
    for stage, taken_ms in stages_ms.items():
        STAGE_SECONDS.labels(stage.removesuffix("_ms")).observe(taken_ms / 1000)
    for step, step_ms in steps_ms.items():
        STEP_SECONDS.labels(step).observe(step_ms / 1000)


def count_failed_attempt(*, code: str) -> None:
    """Count a failed attempt that is followed by another one."""
    FAILED_ATTEMPTS.labels(code).inc()


def count_final_failure(event: Event, *, attempt: int) -> None:
    """Count a post that has failed, or that could not be reprocessed."""
    match event:
        case PostFailed(code=code):
            POSTS.labels("failed", code).inc()
            ATTEMPTS.observe(attempt)
        case PostNotReprocessed(code=code):
            count_reprocessed(code=code)
        case _:
            pass


def count_reprocessed(*, code: str) -> None:
    """Count a reprocessed post; `code` says why it could not be, and is empty if it was."""
    REPROCESSED.labels("failed" if code else "reprocessed", code).inc()
