"""Stages: what an attempt is doing, how long each stage takes, and in which one it failed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from domain.events import Stage, StageTimes
from domain.post import Post
from transcoder.jobs.tracing import tracer


class FailedInStage(Exception):
    """An error, with the innermost stage that was going on when it was raised."""

    def __init__(self, error: Exception, *, stage: Stage, post: Post) -> None:
        super().__init__(f"{stage} failed: {error}")
        self.error = error
        self.stage: Stage = stage
        self.post = post


class Stages:
    """The stages of one attempt at `post`; the queue wait ends `now`, by the log's clock."""

    def __init__(self, post: Post, *, now: datetime) -> None:
        waited = now - post.updated_at
        self._post = post
        self._queue_ms = max(0, round(1000 * waited.total_seconds()))
        self._begun: dict[Stage, float] = {}

    @contextmanager
    def enter(self, stage: Stage) -> Iterator[None]:
        """Run the block as `stage`, in a span of that name.

        Raises:
            FailedInStage: the block raised an exception; cancellation passes unchanged.
        """
        self._begun.setdefault(stage, time.monotonic())
        try:
            with tracer.start_as_current_span(stage):
                yield
        except FailedInStage:
            raise
        except Exception as error:
            raise FailedInStage(error, stage=stage, post=self._post) from error

    def times(self) -> StageTimes:
        """What each stage has taken so far; the upload includes recording the variants."""
        begun = self._begun
        return StageTimes(
            queue_ms=self._queue_ms,
            download_ms=round(1000 * (begun["render"] - begun["download"])),
            transcode_ms=round(1000 * (begun["upload"] - begun["render"])),
            upload_ms=round(1000 * (time.monotonic() - begun["upload"])),
        )
