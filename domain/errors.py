"""What can be wrong with a command.

DomainError
├── PostNotFound           there is no such post, or not for this person
├── PostAlreadyExists      the id is taken
├── UploadExpired          the time to upload is over
├── PostNotProcessing      a variant came for a post that no longer waits for one
├── PostNotFailed          there is nothing to try again
├── PostNotPublished       there are no variants to replace
├── QueueFull              the job queue has no room for the job that the event needs
└── VersionConflict        others kept changing the post at the same moment
"""

from datetime import datetime
from uuid import UUID


class DomainError(Exception):
    """Base of everything that the domain refuses."""


class PostNotFound(DomainError):
    """There is no such post, or not for this person."""

    def __init__(self, post_id: UUID) -> None:
        super().__init__(f"there is no post {post_id}")
        self.post_id = post_id


class PostAlreadyExists(DomainError):
    """The id of a new post is taken."""

    def __init__(self, post_id: UUID) -> None:
        super().__init__(f"post {post_id} exists already")
        self.post_id = post_id


class UploadExpired(DomainError):
    """The time to upload is over; the photo has to be announced again."""

    def __init__(self, post_id: UUID, *, expired_at: datetime) -> None:
        super().__init__(f"the upload of post {post_id} expired at {expired_at.isoformat()}")
        self.post_id = post_id
        self.expired_at = expired_at


class PostNotProcessing(DomainError):
    """A variant came for a post that no longer waits for one."""

    def __init__(self, post_id: UUID, *, status: str) -> None:
        super().__init__(f"post {post_id} is {status} and takes no variant")
        self.post_id = post_id
        self.status = status


class PostNotFailed(DomainError):
    """Only a post that has failed can be tried again."""

    def __init__(self, post_id: UUID, *, status: str) -> None:
        super().__init__(f"post {post_id} is {status}, not failed")
        self.post_id = post_id
        self.status = status


class PostNotPublished(DomainError):
    """Only a published post has variants that others can take the place of."""

    def __init__(self, post_id: UUID, *, status: str) -> None:
        super().__init__(f"post {post_id} is {status}, not published")
        self.post_id = post_id
        self.status = status


class QueueFull(DomainError):
    """The job queue has no room for the job that the event needs; nothing was stored."""

    def __init__(self, *, capacity: int) -> None:
        super().__init__(f"{capacity} jobs are waiting already")
        self.capacity = capacity


class VersionConflict(DomainError):
    """Others kept changing the post at the same moment; nothing was stored."""

    def __init__(self, post_id: UUID, *, attempts: int) -> None:
        super().__init__(f"post {post_id} changed under the command {attempts} times")
        self.post_id = post_id
        self.attempts = attempts


class EventStoreUnavailable(DomainError):
    """The event store did not answer, however often it was asked, or refused what is right."""
