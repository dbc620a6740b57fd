"""Why a command is refused.

DomainError
├── PostNotFound           no such post, or not this user's
├── PostAlreadyExists      the id of a new post is taken
├── UploadExpired          the upload was not completed in time
├── PostNotProcessing      a variant for a post that is not processing
├── PostNotFailed          a retry of a post that has not failed
├── PermanentlyFailed      a retry of a post whose failure no retry can mend
├── RetriesExhausted       a retry of a post that its owner has retried too often
├── PostNotPublished       reprocessing of a post that is not published
├── QueueFull              the queue has no room for the event's job
├── UserQueueFull          the queue has no more room for jobs of this user
├── PostChanged            the post is no longer as the client has seen it
├── VersionConflict        concurrent writers kept changing the post
└── EventStoreUnavailable  the event store did not answer
    └── SequenceBehind     the next position is not above the log: `nova migrate` mends it
"""

from datetime import datetime
from uuid import UUID


class DomainError(Exception):
    """Base of the domain's errors."""


class PostNotFound(DomainError):
    """No such post, or not this user's."""

    def __init__(self, post_id: UUID) -> None:
        super().__init__(f"there is no post {post_id}")
        self.post_id = post_id


class PostAlreadyExists(DomainError):
    """The id of a new post is taken."""

    def __init__(self, post_id: UUID) -> None:
        super().__init__(f"post {post_id} exists already")
        self.post_id = post_id


class UploadExpired(DomainError):
    """The upload was not completed in time; the photo must be announced again."""

    def __init__(self, post_id: UUID, *, expired_at: datetime) -> None:
        super().__init__(f"the upload of post {post_id} expired at {expired_at.isoformat()}")
        self.post_id = post_id
        self.expired_at = expired_at


class PostNotProcessing(DomainError):
    """A variant came for a post that is not processing."""

    def __init__(self, post_id: UUID, *, status: str) -> None:
        super().__init__(f"post {post_id} is {status} and takes no variant")
        self.post_id = post_id
        self.status = status


class PostNotFailed(DomainError):
    """Only a failed post can be retried."""

    def __init__(self, post_id: UUID, *, status: str) -> None:
        super().__init__(f"post {post_id} is {status}, not failed")
        self.post_id = post_id
        self.status = status


class PermanentlyFailed(DomainError):
    """The post's photo fails again however often it is retried; `code` is that of its failure."""

    def __init__(self, post_id: UUID, *, code: str) -> None:
        super().__init__(f"post {post_id} failed for good: {code}")
        self.post_id = post_id
        self.code = code


class RetriesExhausted(DomainError):
    """The owner has retried the post `limit` times, the most there is."""

    def __init__(self, post_id: UUID, *, limit: int) -> None:
        super().__init__(f"post {post_id} was retried {limit} times by its owner")
        self.post_id = post_id
        self.limit = limit


class PostNotPublished(DomainError):
    """Only a published post can be reprocessed."""

    def __init__(self, post_id: UUID, *, status: str) -> None:
        super().__init__(f"post {post_id} is {status}, not published")
        self.post_id = post_id
        self.status = status


class QueueFull(DomainError):
    """The queue has no room for the event's job; nothing was stored."""

    def __init__(self, *, capacity: int) -> None:
        super().__init__(f"{capacity} jobs are waiting already")
        self.capacity = capacity


class UserQueueFull(DomainError):
    """The queue has no more room for jobs of this user; nothing was stored."""

    def __init__(self, *, capacity: int) -> None:
        super().__init__(f"{capacity} jobs of the user are waiting already")
        self.capacity = capacity


class PostChanged(DomainError):
    """The post is at another `version` than the client has seen; nothing was stored."""

    def __init__(self, post_id: UUID, *, version: int) -> None:
        super().__init__(f"post {post_id} is at version {version} now")
        self.post_id = post_id
        self.version = version


class VersionConflict(DomainError):
    """Concurrent writers kept changing the post; nothing was stored."""

    def __init__(self, post_id: UUID, *, attempts: int) -> None:
        super().__init__(f"post {post_id} changed under the command {attempts} times")
        self.post_id = post_id
        self.attempts = attempts


class EventStoreUnavailable(DomainError):
    """The event store did not answer, in spite of retries."""


class SequenceBehind(EventStoreUnavailable):
    """The next position is not above the log; nothing was stored, and `nova migrate` mends it."""
