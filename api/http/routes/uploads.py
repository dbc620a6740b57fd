"""Uploads: announce a photo, PUT it to the object store, complete the upload."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from litestar import Response, Router, post
from litestar.params import JSONBody
from litestar.status_codes import HTTP_202_ACCEPTED

from api.http.authentication.requests import AuthenticatedRequest, command_origin
from api.http.authentication.upload_tokens import (
    check_expiry,
    create_upload_token,
    read_upload_token,
)
from api.http.errors import (
    FileTooLarge,
    FileTooSmall,
    InvalidUploadToken,
    NotUploaded,
    NotYetReadable,
    TranscodeQueueFull,
    UnsupportedContentType,
)
from api.http.openapi.operations import ApiOperation
from api.http.openapi.parameters import PostIdPath
from api.http.openapi.responses import BODY, LOCATION, PATH, POLL_AFTER, problem_responses
from api.http.openapi.tags import UPLOADS
from api.http.resources import Resources, UseResources
from api.http.routes.responses import path_of, respond_accepted
from api.http.schemas.posts import PostAccepted
from api.http.schemas.uploads import (
    CompleteUpload,
    InitUpload,
    RenewUrl,
    UploadOpened,
    UrlRenewed,
)
from api.settings import ApiSettings
from domain.commands import ConfirmUpload, CreatePost
from domain.errors import PostNotFound, UploadExpired, VersionConflict
from domain.formats import ContentType, accepted_content_types
from domain.keys import original_key
from domain.post import Post
from transcoder.errors import ObjectStoreUnavailable
from transcoder.object_store.protocol import Announced

URL_LIFETIME: Final = timedelta(minutes=15)
TOKEN_LIFETIME: Final = timedelta(hours=1)


@post(
    "/posts/upload/init",
    operation_id="initUpload",
    response_description="The upload is open.",
    summary="Announce a photo",
    operation_class=ApiOperation,
    response_headers=[LOCATION],
    responses=problem_responses(
        *BODY, FileTooSmall, FileTooLarge, UnsupportedContentType, NotYetReadable
    ),
)
async def init_upload(
    data: JSONBody[InitUpload], request: AuthenticatedRequest, resources: UseResources
) -> Response[UploadOpened]:
    """Announce a photo and get a presigned URL that accepts exactly these bytes, once.

    PUT the file there with exactly the headers of `upload_headers`, then complete the upload.
    """
    content_type = _accepted_content_type(data, resources.settings)
    origin = command_origin(request)
    post_id = uuid4()
    token_expires_at = origin.at.replace(microsecond=0) + TOKEN_LIFETIME
    outcome = await resources.writer.execute(
        CreatePost(
            origin=origin,
            post_id=post_id,
            user_id=request.user.id,
            caption=data.caption,
            alt=data.alt,
            filename=data.filename,
            content_type=content_type,
            file_size=data.file_size,
            sha256=data.sha256,
            image_key=original_key(post_id),
            upload_expires_at=token_expires_at,
        )
    )
    upload = await resources.store.presign_upload(
        Announced.original_of(outcome.post), lifetime=URL_LIFETIME
    )
    secret = resources.settings.jwt_secret
    opened = UploadOpened(
        post_id=post_id,
        presigned_url=upload.url,
        upload_headers=upload.headers,
        upload_token=create_upload_token(secret, post_id, expires_at=token_expires_at),
        presigned_url_expires_at=upload.expires_at,
        upload_token_expires_at=token_expires_at,
    )
    return Response(opened, headers={"Location": path_of(post_id)})


@post(
    "/posts/{post_id:uuid}/upload/presign",
    operation_id="renewUploadUrl",
    response_description="A presigned URL for the same upload.",
    summary="Get a new presigned URL",
    operation_class=ApiOperation,
    responses=problem_responses(
        *BODY, *PATH, InvalidUploadToken, PostNotFound, UploadExpired, NotYetReadable
    ),
)
async def renew_url(
    post_id: PostIdPath,
    data: JSONBody[RenewUrl],
    request: AuthenticatedRequest,
    resources: UseResources,
) -> UrlRenewed:
    """Get a new presigned URL for an upload whose URL has expired."""
    post = await resources.writer.own_post(post_id, user_id=request.user.id)
    secret = resources.settings.jwt_secret
    expires_at = read_upload_token(secret, data.upload_token, post_id=post_id)
    check_expiry(post_id, expires_at)
    # A PUT must not start so late that the upload can no longer be completed.
    lifetime = min(URL_LIFETIME, expires_at - datetime.now(UTC))
    upload = await resources.store.presign_upload(Announced.original_of(post), lifetime=lifetime)
    return UrlRenewed(
        post_id=post_id,
        presigned_url=upload.url,
        upload_headers=upload.headers,
        presigned_url_expires_at=upload.expires_at,
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
    """Complete an upload after the PUT: the photo is queued for transcoding. Idempotent.

    Repeat it if the response was lost or was a 503. Then poll `Location` until the status is
    `published`, within a second or so, or `failed`.
    """
    post = await resources.writer.own_post(data.post_id, user_id=request.user.id)
    secret = resources.settings.jwt_secret
    expires_at = read_upload_token(secret, data.upload_token, post_id=post.id)
    if post.status == "pending":
        # A completed upload stays completed, however late the client retries.
        check_expiry(post.id, expires_at)
        await _check_stored(resources, post)
    outcome = await resources.writer.execute(
        ConfirmUpload(origin=command_origin(request), post_id=post.id),
        known=post,
        queue_capacity=resources.settings.uploads.queue_capacity,
    )
    return respond_accepted(outcome.post)


def _accepted_content_type(data: InitUpload, settings: ApiSettings) -> ContentType:
    all_accepted = accepted_content_types(heif=settings.photos.accept_heif)
    content_types: dict[str, ContentType] = {each: each for each in all_accepted}
    if data.content_type not in content_types:
        raise UnsupportedContentType(data.content_type, accepted=all_accepted)
    if data.file_size > settings.uploads.max_bytes:
        raise FileTooLarge(data.file_size, limit=settings.uploads.max_bytes)
    if data.file_size < settings.uploads.min_bytes:
        raise FileTooSmall(data.file_size, limit=settings.uploads.min_bytes)
    return content_types[data.content_type]


async def _check_stored(resources: Resources, post: Post) -> None:
    stored = await resources.store.stat(post.image_key)
    if stored is None or (stored.file_size, stored.sha256) != (post.file_size, post.sha256):
        raise NotUploaded


uploads_router = Router(
    "/", route_handlers=[init_upload, renew_url, complete_upload], tags=[UPLOADS.name]
)
