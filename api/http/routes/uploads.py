"""Uploads: announce a photo, PUT it to the object store, complete the upload."""

from datetime import datetime, timedelta
from typing import Annotated

from litestar import Response, Router, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_202_ACCEPTED

from api.http.authentication.requests import AuthenticatedRequest, command_origin
from api.http.authentication.upload_tokens import (
    check_expiry,
    create_upload_token,
    read_upload_token,
)
from api.http.errors import (
    FileTooLarge,
    FileTooSmall,
    IdempotencyKeyReused,
    InvalidUploadToken,
    LimitsUnavailable,
    NotUploaded,
    NotYetReadable,
    PostNotPending,
    QuotaExceeded,
    TooManyWaitingPhotos,
    TranscodeQueueFull,
    UnsupportedContentType,
)
from api.http.openapi.operations import ApiOperation
from api.http.openapi.parameters import IDEMPOTENCY_KEY_HEADER, PostIdPath
from api.http.openapi.responses import BODY, LOCATION, PATH, POLL_AFTER, QUERY, problem_responses
from api.http.openapi.tags import UPLOADS
from api.http.resources import Resources, UseResources
from api.http.routes.announcements import announce
from api.http.routes.originals import check_stored
from api.http.routes.parts import presign_parts
from api.http.routes.responses import path_of, readable_status, respond_accepted
from api.http.schemas.posts import PostAccepted
from api.http.schemas.uploads import (
    CompleteUpload,
    InitUpload,
    RenewUrl,
    UploadOpened,
    UrlRenewed,
)
from domain.commands import ConfirmUpload
from domain.errors import PostNotFound, UploadExpired, VersionConflict
from domain.post import Post
from transcoder.errors import ObjectStoreUnavailable
from transcoder.object_store.protocol import Announced, PresignedUpload


@post(
    "/posts/upload/init",
    operation_id="initUpload",
    response_description="The upload is open.",
    summary="Announce a photo",
    operation_class=ApiOperation,
    response_headers=[LOCATION],
    responses={
        200: ResponseSpec(
            UploadOpened,
            generate_examples=False,
            description="The post that `on_duplicate` found.",
        ),
        **problem_responses(
            *BODY,
            *QUERY,
            FileTooSmall,
            FileTooLarge,
            UnsupportedContentType,
            PostNotFound,
            PostNotPending,
            IdempotencyKeyReused,
            QuotaExceeded,
            LimitsUnavailable,
            UploadExpired,
            VersionConflict,
            NotYetReadable,
        ),
    },
)
async def init_upload(
    data: JSONBody[InitUpload],
    request: AuthenticatedRequest,
    resources: UseResources,
    idempotency_key: Annotated[str | None, IDEMPOTENCY_KEY_HEADER] = None,
) -> Response[UploadOpened]:
    """Announce a photo and get a presigned URL that accepts exactly these bytes, once.

    Send an `Idempotency-Key`, and repeat the request if its response is lost: it opens the same
    upload again, with a new URL and token. A key belongs to its post for ever.

    PUT the file there with exactly the headers of `upload_headers`, then complete the upload. The
    same steps are right for a post that `on_duplicate` returned: the PUT is answered with 412.
    """
    post, is_created = await announce(data, request, resources, idempotency_key=idempotency_key)
    upload = await _presign(resources, post, seconds=data.expires_in, until=_closes_at(post))
    opened = UploadOpened(
        post_id=post.id,
        presigned_url=upload.url,
        upload_headers=upload.headers,
        upload_token=_upload_token(resources, post),
        presigned_url_expires_at=upload.expires_at,
        upload_token_expires_at=post.upload_expires_at,
        status=readable_status(post),
    )
    return Response(
        opened,
        status_code=HTTP_201_CREATED if is_created else HTTP_200_OK,
        headers={"Location": path_of(post.id)},
    )


@post(
    "/posts/{post_id:uuid}/upload/presign",
    operation_id="renewUploadUrl",
    response_description="A presigned URL for the same upload.",
    summary="Get a new presigned URL",
    operation_class=ApiOperation,
    responses=problem_responses(
        *BODY,
        *PATH,
        InvalidUploadToken,
        LimitsUnavailable,
        PostNotFound,
        PostNotPending,
        UploadExpired,
        NotYetReadable,
    ),
)
async def renew_url(
    post_id: PostIdPath,
    data: JSONBody[RenewUrl],
    request: AuthenticatedRequest,
    resources: UseResources,
) -> UrlRenewed:
    """Get a new presigned URL for an upload whose URL has expired.

    Without `upload_token`, a pending post gets a new token, too.
    """
    post = await resources.writer.own_post(post_id, user_id=request.user.id)
    expires_at = post.upload_expires_at
    if data.upload_token is not None:
        secrets = resources.settings.identity.secrets
        expires_at = read_upload_token(secrets, data.upload_token, post_id=post_id)
    elif post.status != "pending":
        raise PostNotPending(post.status)
    check_expiry(post_id, expires_at, now=resources.writer.now())
    upload = await _presign(resources, post, seconds=data.expires_in, until=expires_at)
    return UrlRenewed(
        post_id=post_id,
        presigned_url=upload.url,
        upload_headers=upload.headers,
        presigned_url_expires_at=upload.expires_at,
        upload_token=data.upload_token or _upload_token(resources, post),
        upload_token_expires_at=expires_at,
    )


@post(
    "/posts/upload/complete",
    status_code=HTTP_202_ACCEPTED,
    operation_id="completeUpload",
    response_description="The status of the post now.",
    summary="Complete an upload",
    operation_class=ApiOperation,
    response_headers=[LOCATION, POLL_AFTER],
    responses=problem_responses(
        *BODY,
        InvalidUploadToken,
        PostNotFound,
        NotUploaded,
        UploadExpired,
        TooManyWaitingPhotos,
        TranscodeQueueFull,
        ObjectStoreUnavailable,
        VersionConflict,
        NotYetReadable,
    ),
)
async def complete_upload(
    data: JSONBody[CompleteUpload],
    request: AuthenticatedRequest,
    resources: UseResources,
) -> Response[PostAccepted]:
    """Complete an upload after every PUT: the photo is queued for transcoding. Idempotent.

    Repeat it if the response was lost or was a 429 or 503. Then poll `Location` until the status is
    `published`, within a second or so, or `failed`.
    """
    post = await resources.writer.own_post(data.post_id, user_id=request.user.id)
    secrets = resources.settings.identity.secrets
    expires_at = read_upload_token(secrets, data.upload_token, post_id=post.id)
    if post.status == "pending":
        # A completed upload stays completed, however late the client retries.
        check_expiry(post.id, expires_at, now=resources.writer.now())
        await check_stored(resources, post, part_sha256=data.part_sha256)
    outcome = await resources.writer.execute(
        ConfirmUpload(origin=command_origin(request, at=resources.writer.now()), post_id=post.id),
        known=post,
        queue_capacity=resources.settings.uploads.queue_capacity,
    )
    return respond_accepted(outcome.post)


async def _presign(
    resources: Resources, post: Post, *, seconds: int, until: datetime | None
) -> PresignedUpload:
    lifetime = timedelta(seconds=seconds)
    if until is not None:
        # A PUT must not start so late that the upload can no longer be completed.
        lifetime = min(lifetime, until - resources.writer.now())
    return await resources.store.presign_upload(Announced.original_of(post), lifetime=lifetime)


def _closes_at(post: Post) -> datetime | None:
    return post.upload_expires_at if post.status == "pending" else None


def _upload_token(resources: Resources, post: Post) -> str:
    secret = resources.settings.identity.secret
    return create_upload_token(secret, post.id, expires_at=post.upload_expires_at)


uploads_router = Router(
    "/",
    route_handlers=[init_upload, renew_url, presign_parts, complete_upload],
    tags=[UPLOADS.name],
)
