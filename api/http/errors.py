"""Errors of the API beyond those of the domain.

ApiError
├── InvalidToken            the request has no valid bearer token
├── IdentityProviderUnavailable  the key of a token cannot be fetched
├── UnsupportedContentType  the announced content type is not accepted
├── FileTooLarge            the announced size is above the limit
├── FileTooSmall            the announced size is below the limit
├── NotUploaded             the announced bytes are not in the object store
├── PostNotPending          the upload of the post is completed already
├── InvalidUploadToken      the token was not issued for this upload
├── InvalidBody             fields of the request's body are invalid
├── IdempotencyKeyReused     the key was sent with another body
├── NotJson                 the request's body is of another type
├── InvalidCursor           the cursor was not issued by this API
├── InvalidQuery            the query parameters contradict each other or cannot be answered
├── InsufficientRole        the route requires another role
├── TooManyRequests         the user or the address sends too many
├── QuotaExceeded           a quota of the user has no room
├── LimitsUnavailable       the store of the limits does not respond
├── TooManyWaitingPhotos    too many photos of the user wait for a worker
├── TranscodeQueueFull      too many photos wait for a worker
├── NotYetReadable          the change is stored, but reads do not show it yet
├── MalformedRequest        the bytes are no HTTP request
├── HeadTooLarge            the request line and headers are larger than any this API reads
├── RequestTooSlow          the request was not complete in time
└── TooManyConnections      every connection that the process may serve is busy

The message of an error tells the client what to do: it is the `detail` of the problem.
"""

from msgspec import Struct


class ApiError(Exception):
    """Base of the API's own errors."""


class InvalidToken(ApiError):
    """The request has no bearer token, more than one, or one that is not valid."""


class IdentityProviderUnavailable(ApiError):
    """The token may be valid, but the keys of the identity provider cannot be fetched."""


class UnsupportedContentType(ApiError):
    """The announced content type is not accepted."""

    def __init__(self, content_type: str, *, accepted: tuple[str, ...]) -> None:
        super().__init__(f"Use one of {', '.join(accepted)} (yours: {content_type}).")
        self.content_type = content_type


class FileTooLarge(ApiError):
    """The announced size is above the limit; both in bytes."""

    def __init__(self, file_size: int, *, limit: int) -> None:
        super().__init__(f"Upload at most {limit} bytes (yours: {file_size}).")
        self.file_size = file_size
        self.limit = limit


class FileTooSmall(ApiError):
    """The announced size is below the limit; both in bytes."""

    def __init__(self, file_size: int, *, limit: int) -> None:
        super().__init__(f"Upload at least {limit} bytes (yours: {file_size}).")
        self.file_size = file_size
        self.limit = limit


class NotUploaded(ApiError):
    """The announced bytes are not in the object store: `sha256` in hex, `file_size` in bytes."""

    def __init__(self, *, file_size: int, sha256: str) -> None:
        super().__init__(
            f"PUT the announced bytes to presigned_url first: {file_size} bytes with SHA-256 "
            f"{sha256}. If your file has others, announce it with upload/init and name this post "
            "in replaces."
        )
        self.file_size = file_size
        self.sha256 = sha256


class PostNotPending(ApiError):
    """The upload of the post is completed already."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The upload is completed (status: {status}). Read the post instead.")
        self.status = status


class InvalidUploadToken(ApiError):
    """The token is forged, damaged or was issued for another upload."""

    def __init__(self) -> None:
        super().__init__("Use the upload_token that upload/init returned for this post.")


class InvalidField(Struct, frozen=True, kw_only=True):
    """One invalid field of a body: where it is, as a JSON Pointer, and what is wrong with it."""

    pointer: str
    detail: str


class InvalidBody(ApiError):
    """Fields of the request's body are invalid; `errors` lists each."""

    def __init__(self, errors: list[InvalidField]) -> None:
        super().__init__("Correct the fields listed in errors.")
        self.errors = errors


class IdempotencyKeyReused(ApiError):
    """The idempotency key was sent before, with another body."""


class NotJson(ApiError):
    """The request's body is of another type."""

    def __init__(self) -> None:
        super().__init__("Send JSON with Content-Type: application/json.")


class InvalidCursor(ApiError):
    """The cursor was not issued by this API."""

    def __init__(self) -> None:
        super().__init__("Pass next_cursor of the previous page unchanged.")


class InvalidQuery(ApiError):
    """The query parameters contradict each other or cannot be answered."""


class InsufficientRole(ApiError):
    """The route requires another role."""

    def __init__(self, role: str) -> None:
        super().__init__(f"Requires role auditor or operator (yours: {role}).")
        self.role = role


class TooManyRequests(ApiError):
    """The user or the address sends too many; `seconds` until one more is allowed."""

    def __init__(self, limit: int, *, seconds: int) -> None:
        super().__init__(f"Send at most {limit} per minute, retry after {seconds} s")
        self.limit = limit
        self.seconds = seconds


class QuotaExceeded(ApiError):
    """A quota of the user has no room for another photo; it may have some after `seconds`."""

    def __init__(self, quota: str, *, seconds: int) -> None:
        super().__init__(f"Your quota is {quota}, retry after {seconds} s")
        self.quota = quota
        self.seconds = seconds


class LimitsUnavailable(ApiError):
    """The store of the limits does not respond, so no upload is opened."""


class TooManyWaitingPhotos(ApiError):
    """Too many photos of the user wait for a worker; half should be done after `seconds`."""

    def __init__(self, *, capacity: int, seconds: int) -> None:
        super().__init__(f"{capacity} of your photos are waiting, retry after {seconds} s")
        self.capacity = capacity
        self.seconds = seconds


class TranscodeQueueFull(ApiError):
    """Too many photos wait for a worker; the queue should be half empty after `seconds`."""

    def __init__(self, *, capacity: int, seconds: int) -> None:
        super().__init__(f"{capacity} jobs waiting, retry after {seconds} s")
        self.capacity = capacity
        self.seconds = seconds


class PreconditionFailed(ApiError):
    """`If-Match` names no ETag that the resource has now."""


class NotYetReadable(ApiError):
    """The change is stored, but reads do not show it yet."""


class MalformedRequest(ApiError):
    """The bytes that the client sent are no HTTP request."""

    def __init__(self) -> None:
        super().__init__("Send HTTP/1.1 with one Host header.")


class HeadTooLarge(ApiError):
    """The request line and headers are above the limits: bytes in all, and number of headers."""

    def __init__(self, *, limit_bytes: int, limit_headers: int) -> None:
        super().__init__(f"Send at most {limit_headers} headers of {limit_bytes} bytes in all.")


class RequestTooSlow(ApiError):
    """The request was not complete in time."""

    def __init__(self) -> None:
        super().__init__("Send the whole request at once.")


class TooManyConnections(ApiError):
    """Every connection that the process may serve, or the client's share of them, is busy."""
