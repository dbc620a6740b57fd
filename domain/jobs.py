"""Jobs: the work that follows from an event, queued in the transaction that stores it.

Four queues are independent of each other: `transcode` for live uploads, `bulk` for the runs of
operators, `housekeeping` for removals, and `duties` for maintenance. Within a queue, each user gets
a fair share.
"""

from typing import Final, Literal, TypeAlias, assert_never
from uuid import UUID

from msgspec import Struct

from domain.events import (
    Event,
    PostCaptioned,
    PostCreated,
    PostDeleted,
    PostFailed,
    PostNotReprocessed,
    PostPublished,
    PostReprocessed,
    PostRetried,
    PostUploaded,
    VariantReady,
)
from domain.post import Post

# Stored in the queue's rows: literals, so that no rename in the code changes them.
TRANSCODE_QUEUE: Final = "transcode"
BULK_QUEUE: Final = "bulk"
HOUSEKEEPING_QUEUE: Final = "housekeeping"
DUTIES_QUEUE: Final = "duties"
QUEUES: Final = (TRANSCODE_QUEUE, BULK_QUEUE, HOUSEKEEPING_QUEUE, DUTIES_QUEUE)
TRANSCODE_TASK: Final = "post.transcode"
REPROCESS_TASK: Final = "post.reprocess"
REMOVE_OBJECTS_TASK: Final = "post.remove_objects"

# Longer than an upload URL can live plus a slow PUT, so that a late upload is removed too.
REMOVE_OBJECTS_DELAY_SECONDS: Final = 90 * 60

Lane: TypeAlias = Literal["live", "bulk"]
_QUEUES: Final[dict[Lane, str]] = {"live": TRANSCODE_QUEUE, "bulk": BULK_QUEUE}


class Job(Struct, frozen=True, kw_only=True):
    """One job as the queue stores it; two jobs with the same `lock` never run at once."""

    queue_name: str
    task_name: str
    lock: str
    args: dict[str, str]
    delay_seconds: int = 0


def jobs_after(event: Event, post: Post, *, lane: Lane = "live") -> list[Job]:
    """The jobs that follow from `event` having happened to `post`."""
    match event:
        case PostUploaded() | PostRetried():
            return [_transcode(event, post, lane=lane)]
        case PostDeleted():
            return [_remove_objects(event, post)]
        case PostCreated() | VariantReady() | PostPublished() | PostFailed():
            return []
        case PostCaptioned() | PostReprocessed() | PostNotReprocessed():
            return []
        case _:
            assert_never(event)


def transcode_job(
    post_id: UUID,
    user_id: UUID,
    *,
    correlation_id: UUID,
    causation_id: UUID,
    lane: Lane = "live",
) -> Job:
    """The job that renders and publishes a post."""
    return Job(
        queue_name=_QUEUES[lane],
        task_name=TRANSCODE_TASK,
        lock=lock_of(post_id),
        args=_args(post_id, user_id, correlation_id=correlation_id, causation_id=causation_id),
    )


def reprocess_job(post_id: UUID, user_id: UUID, *, run_id: UUID) -> Job:
    """The job that reprocesses a published post, as part of a run."""
    return Job(
        queue_name=BULK_QUEUE,
        task_name=REPROCESS_TASK,
        lock=lock_of(post_id),
        args=_args(post_id, user_id, correlation_id=run_id, causation_id=run_id),
    )


def _transcode(event: PostUploaded | PostRetried, post: Post, *, lane: Lane) -> Job:
    return transcode_job(
        post.id,
        post.user_id,
        correlation_id=event.correlation_id,
        causation_id=event.event_id,
        lane=lane,
    )


def _remove_objects(event: PostDeleted, post: Post) -> Job:
    # The lock makes it wait for an attempt that is still storing variants.
    return Job(
        queue_name=HOUSEKEEPING_QUEUE,
        task_name=REMOVE_OBJECTS_TASK,
        lock=lock_of(post.id),
        args=_args(
            post.id,
            post.user_id,
            correlation_id=event.correlation_id,
            causation_id=event.event_id,
        ),
        delay_seconds=0 if event.reason == "owner" else REMOVE_OBJECTS_DELAY_SECONDS,
    )


def lock_of(post_id: UUID) -> str:
    """The lock that keeps a post's jobs from running at once; `job_lock` in SQL."""
    return f"post:{post_id}"


def _args(
    post_id: UUID, user_id: UUID, *, correlation_id: UUID, causation_id: UUID
) -> dict[str, str]:
    return {
        "post_id": str(post_id),
        "user_id": str(user_id),
        "correlation_id": str(correlation_id),
        "causation_id": str(causation_id),
    }
