"""Parts: presigned URLs for a large photo in pieces, so that a cut connection costs one piece."""

from datetime import timedelta

from litestar import post
from litestar.params import JSONBody

from api.http.authentication.requests import AuthenticatedRequest
from api.http.authentication.upload_tokens import check_expiry, read_upload_token
from api.http.errors import InvalidUploadToken, NotYetReadable, PostNotPending
from api.http.openapi.operations import ApiOperation
from api.http.openapi.parameters import PostIdPath
from api.http.openapi.responses import BODY, PATH, problem_responses
from api.http.resources import Resources, UseResources
from api.http.routes.originals import parts_of
from api.http.schemas.parts import PartsPresigned, PartView, PresignParts
from domain.errors import PostNotFound, UploadExpired
from domain.post import Post
from transcoder.errors import ObjectStoreUnavailable
from transcoder.object_store.parts import PART_BYTES, Part, PresignedPart
from transcoder.object_store.protocol import Announced


@post(
    "/posts/{post_id:uuid}/upload/parts",
    operation_id="presignParts",
    response_description="The parts of the upload.",
    summary="Upload in parts",
    operation_class=ApiOperation,
    responses=problem_responses(
        *BODY,
        *PATH,
        InvalidUploadToken,
        PostNotFound,
        PostNotPending,
        UploadExpired,
        ObjectStoreUnavailable,
        NotYetReadable,
    ),
)
async def presign_parts(
    post_id: PostIdPath,
    data: JSONBody[PresignParts],
    request: AuthenticatedRequest,
    resources: UseResources,
) -> PartsPresigned:
    """Get a presigned URL for each part of a photo, instead of one for all of it.

    Cut the file into parts of `part_bytes`, and send the SHA-256 of each. PUT each part to its URL,
    in any order, several at a time. Then complete the upload with the same `part_sha256`. If
    connections are cut or URLs expire, repeat this request: parts that are stored have no URL.
    """
    post = await resources.writer.own_post(post_id, user_id=request.user.id)
    secrets = resources.settings.identity.secrets
    expires_at = read_upload_token(secrets, data.upload_token, post_id=post_id)
    if post.status != "pending":
        raise PostNotPending(post.status)
    now = resources.writer.now()
    check_expiry(post_id, expires_at, now=now)
    # A PUT must not start so late that the upload can no longer be completed.
    lifetime = min(timedelta(seconds=data.expires_in), expires_at - now)
    parts = await _presign(resources, post, parts_of(post, data.part_sha256), lifetime=lifetime)
    return PartsPresigned(
        post_id=post_id,
        part_bytes=PART_BYTES,
        parts=[_view(each) for each in parts],
        presigned_url_expires_at=now + lifetime,
    )


async def _presign(
    resources: Resources, post: Post, parts: list[Part], *, lifetime: timedelta
) -> list[PresignedPart]:
    if await resources.store.stat(post.image_key) is not None:
        # Only completing it is left.
        return [PresignedPart(part=part, url=None, headers={}) for part in parts]
    announced = Announced.original_of(post)
    return await resources.store.presign_parts(announced, parts, lifetime=lifetime)


def _view(presigned: PresignedPart) -> PartView:
    return PartView(
        offset=presigned.part.offset,
        file_size=presigned.part.file_size,
        presigned_url=presigned.url,
        upload_headers=presigned.headers,
    )
