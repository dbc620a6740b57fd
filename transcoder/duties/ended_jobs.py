"""Ended jobs: rows of duties that failed or were interrupted, deleted after a while.

Any other job is deleted when it succeeds, or retried.
"""

from typing import Final

from procrastinate import App

# Long enough for an operator to see on Monday what failed on Friday night.
KEPT_HOURS: Final = 72


async def delete_ended_jobs(queue: App) -> None:
    """Delete jobs that ended more than `KEPT_HOURS` ago."""
    await queue.job_manager.delete_old_jobs(
        nb_hours=KEPT_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )
