"""The retry strategy of jobs: how long after a failed attempt the next one starts."""

import asyncio
from typing import Final

from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

MAX_PAUSE_SECONDS: Final = 60


class RetryForever(BaseRetryStrategy):
    """Back off 2, 4, 8 … up to 60 s, without a limit: an attempt ends its job by succeeding.

    Giving up counts as success: it is an event, so that no post is left processing.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """When the next attempt is due: at once if a stopping worker interrupted this one."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        pause = min(2 ** (job.attempts + 1), MAX_PAUSE_SECONDS)
        return RetryDecision(retry_in={"seconds": pause})
