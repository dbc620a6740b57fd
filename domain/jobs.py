"""Jobs: the work that an event leaves to be done, queued in the transaction that stores it."""

from typing import Final, assert_never

from msgspec import Struct

from domain.events import (
    Event,
    PostCreated,
    PostDeleted,
    PostFailed,
    PostPublished,
    PostRetried,
    PostUploaded,
    VariantReady,
)

# Names that live in the queue's rows: literals that no rename in the code can change.
TRANSCODE_QUEUE: Final = "transcode"
TRANSCODE_TASK: Final = "post.transcode"
HOUSEKEEPING_QUEUE: Final = "housekeeping"
REMOVE_ORIGINAL_TASK: Final = "post.remove_original"


# Longer than an upload URL lives and a slow PUT takes: what comes until then goes too.
REMOVE_ORIGINAL_DELAY_SECONDS: Final = 30 * 60


class Job(Struct, frozen=True, kw_only=True):
    """One job as the queue stores it; two jobs with the same `lock` never run at once."""

    queue_name: str
    task_name: str
    lock: str
    args: dict[str, str]
    delay_seconds: int = 0


def jobs_after(event: Event) -> list[Job]:
    """What must be done because `event` happened."""
    match event:
        case PostUploaded() | PostRetried():
            return [_transcode(event)]
        case PostDeleted(reason="upload_expired" | "upload_abandoned"):
            return [_remove_original(event)]
        case PostCreated() | VariantReady() | PostPublished() | PostFailed() | PostDeleted():
            return []
        case _:
            assert_never(event)


def _transcode(event: PostUploaded | PostRetried) -> Job:
    return Job(
        queue_name=TRANSCODE_QUEUE,
        task_name=TRANSCODE_TASK,
        lock=f"post:{event.post_id}",
        args=_args(event),
    )


def _remove_original(event: PostDeleted) -> Job:
    return Job(
        queue_name=HOUSEKEEPING_QUEUE,
        task_name=REMOVE_ORIGINAL_TASK,
        lock=f"post:{event.post_id}",
        args=_args(event),
        delay_seconds=REMOVE_ORIGINAL_DELAY_SECONDS,
    )


def _args(event: Event) -> dict[str, str]:
    return {
        "post_id": str(event.post_id),
        "correlation_id": str(event.correlation_id),
        "causation_id": str(event.event_id),
    }
