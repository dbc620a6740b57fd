"""The retry strategy: attempts back off, and an interrupted one costs no time."""

import asyncio
from datetime import UTC, datetime

import pytest
from procrastinate.jobs import Job

from transcoder.errors import RendererCrashed
from transcoder.jobs.retry import RetryForever


def pause_after(error: BaseException, *, attempts: int) -> float:
    """The seconds until the attempt that follows on `attempts` earlier ones and this one."""
    job = Job(
        id=1,
        queue="transcode",
        lock=None,
        queueing_lock=None,
        task_name="post.transcode",
        attempts=attempts,
    )
    decision = RetryForever().get_retry_decision(exception=error, job=job)
    assert decision.retry_at is not None
    return (decision.retry_at - datetime.now(UTC)).total_seconds()


def test_attempts_back_off_up_to_a_minute() -> None:
    pauses = [pause_after(RendererCrashed(), attempts=attempts) for attempts in range(8)]
    assert pauses == pytest.approx([2, 4, 8, 16, 32, 60, 60, 60], abs=1)


def test_an_interrupted_attempt_is_repeated_at_once() -> None:
    assert pause_after(asyncio.CancelledError(), attempts=5) <= 0
