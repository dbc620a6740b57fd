"""Schemas of uploads."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

MAX_CAPTION_CHARACTERS = 2200
# PostgreSQL text cannot hold NUL.
NO_NUL = r"^[^\x00]*\Z"


class InitUpload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Announces a photo: `file_size` in bytes, `sha256` of the file in lower-case hex."""

    filename: Annotated[str, Meta(min_length=1, max_length=255, pattern=NO_NUL)]
    content_type: Annotated[str, Meta(max_length=100)]
    file_size: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    caption: Annotated[str, Meta(max_length=MAX_CAPTION_CHARACTERS, pattern=NO_NUL)] | None = None


class UploadOpened(Struct, frozen=True, kw_only=True):
    """PUT the file to `presigned_url` with exactly `upload_headers`, then complete the upload.

    If the PUT is answered with 412, the bytes are already stored: complete the upload.
    """

    post_id: UUID
    presigned_url: str
    upload_headers: dict[str, str]
    upload_token: str
    presigned_url_expires_at: datetime
    upload_token_expires_at: datetime


class RenewUrl(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests a new presigned URL before the upload token expires."""

    upload_token: Annotated[str, Meta(max_length=1000)]


class UrlRenewed(Struct, frozen=True, kw_only=True):
    """A new presigned URL for the same upload, with the same headers."""

    post_id: UUID
    presigned_url: str
    upload_headers: dict[str, str]
    presigned_url_expires_at: datetime


class CompleteUpload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Completes an upload after the PUT. Idempotent."""

    post_id: UUID
    upload_token: Annotated[str, Meta(max_length=1000)]
