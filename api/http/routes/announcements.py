"""Announcements of photos: what `upload/init` accepts, finds and creates."""

from contextlib import suppress
from datetime import timedelta
from typing import Final
from unicodedata import category

from msgspec.structs import replace

from api.http.authentication.requests import AuthenticatedRequest, command_origin
from api.http.errors import FileTooLarge, FileTooSmall, PostNotPending, UnsupportedContentType
from api.http.resources import Resources
from api.http.routes.idempotency import NewPostIds, find_repeated, new_post_ids
from api.http.routes.quotas import check_quotas
from api.http.schemas.uploads import InitUpload
from api.settings import ApiSettings
from domain.commands import CreatePost, DeletePost
from domain.errors import PostAlreadyExists, PostNotFound
from domain.formats import ContentType, accepted_content_types
from domain.keys import original_key
from domain.post import Post
from projections.queries.posts import SamePhoto, find_same_photo

TOKEN_LIFETIME: Final = timedelta(hours=1)
DUPLICATES_WITHIN: Final = timedelta(days=1)
# A pending post that is returned must live long enough to be uploaded.
MIN_URL_LIFETIME: Final = timedelta(minutes=1)
# Control and format characters, line and paragraph separators.
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
# Format characters that Persian and Indic scripts and emoji need.
_JOINERS: Final = "\u200c\u200d"
_UNNAMED: Final = "unnamed"


async def announce(
    data: InitUpload,
    request: AuthenticatedRequest,
    resources: Resources,
    *,
    idempotency_key: str | None,
) -> tuple[Post, bool]:
    """The post of an announced photo, and whether this request or its first attempt created it.

    Raises:
        UnsupportedContentType, FileTooLarge, FileTooSmall: the photo is not accepted.
        PostNotFound, PostNotPending: there is no such post to replace.
        IdempotencyKeyReused, UploadExpired: the key belongs to another request.
    """
    content_type = _accepted_content_type(data, resources.settings)
    ids = new_post_ids(data, user_id=request.user.id, key=idempotency_key)
    repeated = await find_repeated(ids, resources)
    if repeated is not None:
        await _delete_replaced(data, request, resources, kept=repeated)
        return repeated, True
    await _check_replaced(data, request, resources)
    await check_quotas(
        resources.connections,
        resources.settings.limits,
        user_id=request.user.id,
        file_size=data.file_size,
    )
    found = await _find_duplicate(data, content_type, request, resources)
    post = found or await _create_post(data, content_type, request, resources, ids=ids)
    await _delete_replaced(data, request, resources, kept=post)
    return post, found is None


def _accepted_content_type(data: InitUpload, settings: ApiSettings) -> ContentType:
    """The announced type, if the photo is accepted.

    Raises:
        UnsupportedContentType: its type is not.
        FileTooLarge, FileTooSmall: its size is not.
    """
    all_accepted = accepted_content_types(heif=settings.photos.accept_heif)
    content_types: dict[str, ContentType] = {each: each for each in all_accepted}
    if data.content_type not in content_types:
        raise UnsupportedContentType(data.content_type, accepted=all_accepted)
    if data.file_size > settings.uploads.max_bytes:
        raise FileTooLarge(data.file_size, limit=settings.uploads.max_bytes)
    if data.file_size < settings.uploads.min_bytes:
        raise FileTooSmall(data.file_size, limit=settings.uploads.min_bytes)
    return content_types[data.content_type]


def printable_name(filename: str) -> str:
    """The name without control characters, line breaks and changes of direction.

    They would move a terminal's cursor, or show `gpj.exe` as `exe.jpg`, to whoever reads the log.
    """
    kept = (each for each in filename if category(each) not in _UNPRINTABLE or each in _JOINERS)
    return "".join(kept) or _UNNAMED


async def _create_post(
    data: InitUpload,
    content_type: ContentType,
    request: AuthenticatedRequest,
    resources: Resources,
    *,
    ids: NewPostIds,
) -> Post:
    """Create the pending post, or return the one that the same key has just created."""
    origin = replace(command_origin(request, at=resources.writer.now()), command_id=ids.command_id)
    post_id = ids.post_id
    command = CreatePost(
        origin=origin,
        post_id=post_id,
        user_id=request.user.id,
        caption=data.caption,
        alt=data.alt,
        filename=printable_name(data.filename),
        content_type=content_type,
        file_size=data.file_size,
        sha256=data.sha256,
        image_key=original_key(post_id),
        upload_expires_at=origin.at.replace(microsecond=0) + TOKEN_LIFETIME,
    )
    try:
        outcome = await resources.writer.execute(command)
    except PostAlreadyExists:
        # The same request at the same time, on this process or another.
        created = await find_repeated(ids, resources)
        assert created is not None  # noqa: S101 - its id is taken
        return created
    return outcome.post


async def _check_replaced(
    data: InitUpload, request: AuthenticatedRequest, resources: Resources
) -> None:
    """Check that the post that the new one replaces is pending.

    Raises:
        PostNotFound: the user has no such post.
        PostNotPending: its upload is completed.
    """
    if data.replaces is None:
        return
    post = await resources.writer.own_post(data.replaces, user_id=request.user.id)
    if post.status != "pending":
        raise PostNotPending(post.status)


async def _delete_replaced(
    data: InitUpload, request: AuthenticatedRequest, resources: Resources, *, kept: Post
) -> None:
    if data.replaces in (None, kept.id):
        return
    # Another request, or the first attempt of this one, may have deleted it.
    with suppress(PostNotFound):
        await resources.writer.execute(
            DeletePost(
                origin=command_origin(request, at=resources.writer.now()),
                post_id=data.replaces,
                user_id=request.user.id,
                only_pending=True,
            )
        )


async def _find_duplicate(
    data: InitUpload,
    content_type: ContentType,
    request: AuthenticatedRequest,
    resources: Resources,
) -> Post | None:
    """The post that `on_duplicate` asks to return, if there is one."""
    if data.on_duplicate == "create":
        return None
    now = resources.writer.now()
    photo = SamePhoto(
        user_id=request.user.id,
        sha256=data.sha256,
        content_type=content_type,
        since=now - DUPLICATES_WITHIN,
        usable_at=now + MIN_URL_LIFETIME,
    )
    async with resources.connections.connection() as connection:
        found = await find_same_photo(connection, photo)
    if found is None:
        return None
    return await resources.writer.own_post(found, user_id=request.user.id)
