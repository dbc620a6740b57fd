"""Problem types: every error a client can meet, with its status, meaning and advice.

The only place where an error becomes an HTTP status. Clients rely on `type`: it never changes.
It is the path of a page that explains the type (`pages.py`).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import psycopg
from litestar.exceptions import (
    ClientException,
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from api.http.errors import (
    FileTooLarge,
    FileTooSmall,
    HeadTooLarge,
    IdempotencyKeyReused,
    IdentityProviderUnavailable,
    InsufficientRole,
    InvalidBody,
    InvalidCursor,
    InvalidQuery,
    InvalidToken,
    InvalidUploadToken,
    LimitsUnavailable,
    MalformedRequest,
    NotJson,
    NotUploaded,
    NotYetReadable,
    PostNotPending,
    PreconditionFailed,
    QuotaExceeded,
    RequestTooSlow,
    TooManyConnections,
    TooManyRequests,
    TooManyWaitingPhotos,
    TranscodeQueueFull,
    UnsupportedContentType,
)
from api.http.problems.problem import FieldError, ProblemType
from domain.errors import (
    EventStoreUnavailable,
    PermanentlyFailed,
    PostChanged,
    PostNotFailed,
    PostNotFound,
    RetriesExhausted,
    UploadExpired,
    VersionConflict,
)
from domain.failures import MAX_OWNER_RETRIES
from transcoder.errors import ObjectStoreUnavailable

# A restarted server is back by then.
RETRY_AFTER_SECONDS: Final = 2
# In the documentation; each answer has its own.
_RETRY_LATER: Final = {"Retry-After": str(RETRY_AFTER_SECONDS)}


def _unavailable(slug: str, title: str, meaning: str) -> ProblemType:
    return ProblemType(
        slug,
        HTTPStatus.SERVICE_UNAVAILABLE,
        title,
        meaning,
        "Retry later.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


DATABASE_UNAVAILABLE: Final = _unavailable(
    "database-unavailable",
    "Database unavailable",
    "The database did not respond. A write may or may not be stored: repeat it, writes of this "
    "API are idempotent, and so is `upload/init` with an `Idempotency-Key`.",
)

PRECONDITION_FAILED: Final = ProblemType(
    "precondition-failed",
    HTTPStatus.PRECONDITION_FAILED,
    "Resource has changed",
    "The `ETag` of the resource is none of those in `If-Match`. Nothing is stored.",
    "Read the resource again, and repeat the request with its new ETag if it still applies.",
)

PROBLEM_TYPES: Final[Mapping[type[Exception], ProblemType]] = {
    PostNotFound: ProblemType(
        "post-not-found",
        HTTPStatus.NOT_FOUND,
        "Post not found",
        "No post has this id, it is deleted, or the token's user may not see it.",
        "Check the id. Only the owner can change a post, or read it before it is published.",
    ),
    PostNotFailed: ProblemType(
        "post-not-failed",
        HTTPStatus.CONFLICT,
        "Post has not failed",
        "Only a failed post can be retried, and this one is pending or published.",
        "Retry failed posts only.",
    ),
    PermanentlyFailed: ProblemType(
        "permanently-failed",
        HTTPStatus.CONFLICT,
        "Photo cannot be published",
        "The photo fails again however often it is retried: `failure` of the post says why.",
        "Show failure.message of the post, and let the user upload another photo.",
    ),
    RetriesExhausted: ProblemType(
        "retries-exhausted",
        HTTPStatus.CONFLICT,
        "Post retried too often",
        f"The owner has retried this post {MAX_OWNER_RETRIES} times, and it has failed each time.",
        "Upload the photo again, or ask the operator, who can still retry the post.",
    ),
    PreconditionFailed: PRECONDITION_FAILED,
    PostChanged: PRECONDITION_FAILED,
    UploadExpired: ProblemType(
        "upload-expired",
        HTTPStatus.GONE,
        "Upload expired",
        "The upload was not completed before `upload_token_expires_at`. The post is deleted soon.",
        "Start a new upload with upload/init.",
    ),
    NotUploaded: ProblemType(
        "not-uploaded",
        HTTPStatus.CONFLICT,
        "Photo not uploaded",
        "The object store has no object of the announced size and SHA-256, which `detail` names. "
        "It refuses any other bytes with 400, so a PUT of them changes nothing: announce the file "
        "that you have, with `replaces`.",
        sample=str(NotUploaded(file_size=3_482_111, sha256="1f3870be" * 8)),
    ),
    PostNotPending: ProblemType(
        "post-not-pending",
        HTTPStatus.CONFLICT,
        "Upload already completed",
        "Only a pending post has an upload to replace or to get a new token for.",
        sample=str(PostNotPending("published")),
    ),
    InvalidUploadToken: ProblemType(
        "invalid-upload-token",
        HTTPStatus.FORBIDDEN,
        "Invalid upload token",
        "The upload token is damaged, or belongs to another post.",
        sample=str(InvalidUploadToken()),
    ),
    UnsupportedContentType: ProblemType(
        "unsupported-content-type",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Unsupported content type",
        "Photos of the announced content type are not accepted. `GET /api/v1/capabilities` lists "
        "those that are.",
        sample=str(UnsupportedContentType("image/gif", accepted=("image/jpeg", "image/png"))),
    ),
    FileTooLarge: ProblemType(
        "file-too-large",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "File too large",
        "The announced size is above `upload.max_bytes` of `GET /api/v1/capabilities`.",
        sample=str(FileTooLarge(60_000_000, limit=50_000_000)),
    ),
    FileTooSmall: ProblemType(
        "file-too-small",
        HTTPStatus.BAD_REQUEST,
        "File too small",
        "The announced size is below `upload.min_bytes` of `GET /api/v1/capabilities`.",
        sample=str(FileTooSmall(13_618, limit=100_000)),
    ),
    IdempotencyKeyReused: ProblemType(
        "idempotency-key-reused",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Idempotency key used for another request",
        "The user has sent this `Idempotency-Key` before, with another body. Nothing is stored.",
        "Use a new key for each photo, and the same key only to repeat a request.",
    ),
    InvalidCursor: ProblemType(
        "invalid-cursor",
        HTTPStatus.BAD_REQUEST,
        "Invalid cursor",
        "The cursor was not issued by this API.",
        sample=str(InvalidCursor()),
    ),
    InvalidQuery: ProblemType(
        "invalid-query",
        HTTPStatus.BAD_REQUEST,
        "Invalid query parameters",
        "A query parameter has a wrong value, is unknown or repeated, or contradicts another.",
        sample="Pass either as_of or version.",
    ),
    InsufficientRole: ProblemType(
        "insufficient-role",
        HTTPStatus.FORBIDDEN,
        "Insufficient role",
        "The token's `role` claim does not allow this operation.",
        sample=str(InsufficientRole("user")),
    ),
    TooManyRequests: ProblemType(
        "too-many-requests",
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        "The user, or the address, sends more requests of this kind than `RateLimit-Policy` "
        "allows.",
        sample=str(TooManyRequests(300, seconds=1)),
        headers=_RETRY_LATER,
    ),
    QuotaExceeded: ProblemType(
        "quota-exceeded",
        HTTPStatus.TOO_MANY_REQUESTS,
        "Quota exceeded",
        "The user has too many uploads open, or has uploaded too much within a day.",
        sample=str(QuotaExceeded("1000 open uploads", seconds=60)),
        headers=_RETRY_LATER,
    ),
    LimitsUnavailable: _unavailable(
        "limits-unavailable",
        "Rate limits unavailable",
        "The store of the rate limits did not respond, so no upload can be opened. Reads go on.",
    ),
    TooManyWaitingPhotos: ProblemType(
        "too-many-waiting-photos",
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many of your photos are waiting",
        "The photos of one user may take up a tenth of the queue. Nothing is lost: the photo stays "
        "uploaded, and `Retry-After` is computed from the current throughput.",
        sample=str(TooManyWaitingPhotos(capacity=10, seconds=3)),
        headers=_RETRY_LATER,
    ),
    TranscodeQueueFull: _unavailable(
        "queue-full",
        "Transcode queue is full",
        "Too many photos are waiting. Nothing is lost: the photo stays uploaded, and `Retry-After` "
        "is computed from the current throughput.",
    ),
    NotYetReadable: _unavailable(
        "not-yet-readable",
        "Change stored but not yet readable",
        "The change is stored, but reads do not show it yet. Repeating the request is safe.",
    ),
    VersionConflict: _unavailable(
        "version-conflict",
        "Too many concurrent changes to this post",
        "Other requests kept changing the post. Nothing is stored.",
    ),
    ObjectStoreUnavailable: _unavailable(
        "object-store-unavailable",
        "Object storage unavailable",
        "The object store did not respond.",
    ),
    EventStoreUnavailable: DATABASE_UNAVAILABLE,
    psycopg.OperationalError: DATABASE_UNAVAILABLE,
    # What psycopg raises when the server ends the session.
    psycopg.InternalError: DATABASE_UNAVAILABLE,
    InvalidToken: ProblemType(
        "unauthorized",
        HTTPStatus.UNAUTHORIZED,
        "Authentication required",
        "The request has no bearer token, more than one `Authorization` header, or a token that is "
        "expired, not signed with a known key, or meant for another service.",
        "Send a valid token as Authorization: Bearer TOKEN.",
        headers={"WWW-Authenticate": "Bearer"},
    ),
    IdentityProviderUnavailable: _unavailable(
        "identity-provider-unavailable",
        "Identity provider unavailable",
        "The token is signed with an unknown key, and the keys of the identity provider cannot be "
        "fetched now. Keep the token.",
    ),
    NotFoundException: ProblemType(
        "not-found",
        HTTPStatus.NOT_FOUND,
        "Not found",
        "No operation has this path. An id that is not a UUID has none either.",
        "See /docs for the paths of this API.",
    ),
    MethodNotAllowedException: ProblemType(
        "method-not-allowed",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "Method not allowed",
        "The path has operations, but not for this method. `Allow` lists the methods it has.",
        "See /docs for the methods of this path.",
    ),
    RequestEntityTooLarge: ProblemType(
        "request-too-large",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "Request too large",
        "The body of the request is larger than any this API reads.",
        "PUT photos to presigned_url, not to this API.",
    ),
    InvalidBody: ProblemType(
        "invalid-request",
        HTTPStatus.BAD_REQUEST,
        "Invalid request",
        "The body is not JSON, or its fields are not those of the schema. `errors` lists each "
        "invalid field.",
        sample="Correct the fields listed in errors.",
        errors=[FieldError(pointer="#/file_size", detail="Expected `int`, got `str`")],
    ),
    NotJson: ProblemType(
        "not-json",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Request body is not JSON",
        "The `Content-Type` of the request is not `application/json`.",
        sample=str(NotJson()),
    ),
    ClientException: ProblemType(
        "invalid-request",
        HTTPStatus.BAD_REQUEST,
        "Invalid request",
        "The body is not JSON, or its fields are not those of the schema. `errors` lists each "
        "invalid field.",
    ),
    MalformedRequest: ProblemType(
        "malformed-request",
        HTTPStatus.BAD_REQUEST,
        "Malformed HTTP request",
        "The server cannot tell what was requested, and closes the connection.",
        sample=str(MalformedRequest()),
    ),
    HeadTooLarge: ProblemType(
        "headers-too-large",
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Request headers too large",
        "The request line and headers are larger than any this API reads. The server closes the "
        "connection.",
        sample=str(HeadTooLarge(limit_bytes=16_384, limit_headers=100)),
    ),
    RequestTooSlow: ProblemType(
        "request-timeout",
        HTTPStatus.REQUEST_TIMEOUT,
        "Request timed out",
        "The server waited too long for the rest of the request, and closes the connection.",
        sample=str(RequestTooSlow()),
    ),
    TooManyConnections: _unavailable(
        "too-many-connections",
        "Too many connections",
        "Every connection that the server takes, or takes from one address, is busy.",
    ),
    # Raised by JSON nested deeper than any valid request.
    RecursionError: ProblemType(
        "invalid-request",
        HTTPStatus.BAD_REQUEST,
        "Invalid request",
        "The JSON is nested too deeply.",
        "Nest the JSON less deeply.",
    ),
    Exception: ProblemType(
        "internal-error",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Internal error",
        "A defect of the service.",
        "If it persists, report the X-Correlation-ID of this response.",
    ),
}
