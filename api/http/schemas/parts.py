"""Schemas of uploads in parts."""

from typing import Annotated

from msgspec import Meta, Struct

from api.http.schemas.fields import (
    DEFAULT_URL_SECONDS,
    IMAGE_KEY,
    ExpiresIn,
    PartSha256,
    PostId,
    UploadToken,
    UrlExpiry,
)


class PresignParts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests a presigned URL for each part of an upload."""

    upload_token: UploadToken
    part_sha256: PartSha256
    expires_in: ExpiresIn = DEFAULT_URL_SECONDS


class PartView(Struct, frozen=True, kw_only=True):
    """One part: PUT these bytes of the file with exactly `upload_headers`."""

    offset: Annotated[int, Meta(description="Where it starts, in bytes.", examples=[0])]
    file_size: Annotated[int, Meta(description="Its size in bytes.", examples=[8_000_000])]
    presigned_url: Annotated[
        str | None,
        Meta(
            description="PUT the part here. Accepts only bytes of this SHA-256. Null if the part "
            "is stored.",
            examples=[f"https://bucket.s3.amazonaws.com/{IMAGE_KEY}?partNumber=1&uploadId=2kq"],
        ),
    ]
    upload_headers: Annotated[
        dict[str, str],
        Meta(
            description="The headers of the PUT; HTTP libraries set `content-length` themselves. "
            "Empty if the part is stored.",
            examples=[
                {
                    "content-length": "8000000",
                    "x-amz-checksum-sha256": "HzhwvidPbEmz4xoMZyiVfx84cL4nT2xJs+MaDGcolX8=",
                }
            ],
        ),
    ]


class PartsPresigned(Struct, frozen=True, kw_only=True):
    """The parts of an upload, in the order of the file."""

    post_id: PostId
    part_bytes: Annotated[
        int, Meta(description="The size of every part but the last one.", examples=[8_000_000])
    ]
    parts: Annotated[list[PartView], Meta(description="All parts, stored ones included.")]
    presigned_url_expires_at: UrlExpiry
