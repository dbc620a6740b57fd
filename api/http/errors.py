"""What can be wrong with a request beyond what the domain refuses.

ApiError
├── UnsupportedContentType  the announced type is not one that we decode
├── FileTooLarge            the announced size is above the limit
├── FileTooSmall            the announced size is below the limit
├── NotUploaded             the announced bytes are not in the object store
├── WrongCursor             the page cursor is not one that we gave out
├── WrongQuestion           what is asked contradicts itself or cannot be answered
├── NoRoom                  too many photos wait for a worker
├── NotForThisRole          the caller's role does not let it ask this
└── ReadsBehind             the write is stored, but reads do not show it yet
"""

from uuid import UUID


class ApiError(Exception):
    """Base of what the API itself refuses."""


class UnsupportedContentType(ApiError):
    """The announced type is not one that we decode."""

    def __init__(self, content_type: str, *, accepted: tuple[str, ...]) -> None:
        super().__init__(f"{content_type!r} is not accepted; {', '.join(accepted)} are")
        self.content_type = content_type


class FileTooLarge(ApiError):
    """The announced size is above the limit; both in bytes."""

    def __init__(self, file_size: int, *, limit: int) -> None:
        super().__init__(f"{file_size} bytes; the most is {limit}")
        self.file_size = file_size
        self.limit = limit


class FileTooSmall(ApiError):
    """The announced size is below the limit; both in bytes."""

    def __init__(self, file_size: int, *, limit: int) -> None:
        super().__init__(f"{file_size} bytes; the least is {limit}")
        self.file_size = file_size
        self.limit = limit


class NotUploaded(ApiError):
    """The announced bytes are not in the object store: PUT them first."""

    def __init__(self, post_id: UUID) -> None:
        super().__init__(f"the photo of post {post_id} has not arrived; PUT it, then say so again")
        self.post_id = post_id


class NoRoom(ApiError):
    """Too many photos wait for a worker; there should be room again after `seconds`."""

    def __init__(self, *, capacity: int, seconds: int) -> None:
        super().__init__(f"{capacity} photos are waiting; say it again in {seconds} s")
        self.capacity = capacity
        self.seconds = seconds


class WrongCursor(ApiError):
    """The page cursor is not one that we gave out."""


class WrongQuestion(ApiError):
    """What is asked contradicts itself or cannot be answered; the message says how to ask."""


class NotForThisRole(ApiError):
    """The caller's role does not let it ask this."""

    def __init__(self, role: str) -> None:
        super().__init__(f"your role is {role}; auditors and operators may ask this")
        self.role = role


class ReadsBehind(ApiError):
    """The write is stored, but reads do not show it yet; saying it again is safe."""
