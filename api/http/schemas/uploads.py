"""Schemas of uploads."""

from typing import Annotated, Literal, TypeAlias, get_args
from uuid import UUID

from msgspec import Meta, Struct

from api.http.schemas.fields import (
    DEFAULT_URL_SECONDS,
    MAX_INTEGER,
    NO_NUL,
    Alt,
    Caption,
    ExpiresIn,
    PartSha256,
    PostId,
    PresignedUrl,
    Sha256,
    TokenExpiry,
    UploadHeaders,
    UploadToken,
    UrlExpiry,
)
from domain.formats import ContentType
from domain.post import ReadableStatus

OnDuplicate: TypeAlias = Literal["create", "return"]


class InitUpload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Announces a photo."""

    filename: Annotated[
        str,
        Meta(
            description="The name of the file, for the history. Control characters and changes "
            "of direction are removed.",
            examples=["IMG_0001.jpg"],
            min_length=1,
            max_length=255,
            pattern=NO_NUL,
        ),
    ]
    # Not a ContentType: the settings decide which are accepted, and the problem lists them.
    content_type: Annotated[
        str,
        Meta(
            description="The type of the file. `GET /api/v1/capabilities` lists those accepted.",
            examples=["image/jpeg"],
            max_length=100,
            extra_json_schema={"enum": list(get_args(ContentType))},
        ),
    ]
    file_size: Annotated[
        int,
        Meta(
            description="The size of the file in bytes. `GET /api/v1/capabilities` has the bounds.",
            examples=[3_482_111],
            ge=1,
            le=MAX_INTEGER,
        ),
    ]
    sha256: Sha256
    caption: Caption | None = None
    alt: Alt | None = None
    expires_in: ExpiresIn = DEFAULT_URL_SECONDS
    on_duplicate: Annotated[
        OnDuplicate,
        Meta(
            description="What to do if the same user announced the same bytes within a day, and "
            "that post has not failed: `create` another post, or `return` that one, with status "
            "200. A returned post keeps its own texts.",
            examples=["create"],
        ),
    ] = "create"
    replaces: (
        Annotated[
            UUID,
            Meta(
                description="A pending post of the same user that this one replaces, as when "
                "other bytes than those announced are to be uploaded. It is deleted.",
                examples=["7d3c1b52-93ad-4c67-8e0b-5f2a1c9d8e04"],
            ),
        ]
        | None
    ) = None


class UploadOpened(Struct, frozen=True, kw_only=True):
    """PUT the file to `presigned_url` with exactly `upload_headers`, then complete the upload.

    If the PUT is answered with 412, the bytes are already stored: complete the upload.
    """

    post_id: PostId
    presigned_url: PresignedUrl
    upload_headers: UploadHeaders
    upload_token: UploadToken
    presigned_url_expires_at: UrlExpiry
    upload_token_expires_at: TokenExpiry
    status: Annotated[
        ReadableStatus,
        Meta(
            description="`pending`, unless `on_duplicate` found a post that is further.",
            examples=["pending"],
        ),
    ]


class RenewUrl(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests a new presigned URL before the upload expires.

    Without `upload_token`, a pending post gets a new token as well: for apps that lost theirs.
    """

    upload_token: UploadToken | None = None
    expires_in: ExpiresIn = DEFAULT_URL_SECONDS


class UrlRenewed(Struct, frozen=True, kw_only=True):
    """A new presigned URL for the same upload, with the same headers."""

    post_id: PostId
    presigned_url: PresignedUrl
    upload_headers: UploadHeaders
    presigned_url_expires_at: UrlExpiry
    upload_token: UploadToken
    upload_token_expires_at: TokenExpiry


class CompleteUpload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Completes an upload after the PUT; one in parts with the same hashes as `upload/parts`."""

    post_id: PostId
    upload_token: UploadToken
    part_sha256: PartSha256 | None = None
