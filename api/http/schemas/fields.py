"""Fields that several schemas share: their meaning, bounds and examples."""

from datetime import datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from msgspec import Meta

from domain.recipes import VariantName

# JavaScript and JSON have no larger exact integer.
MAX_INTEGER: Final = 2**53 - 1
MAX_CAPTION_CHARACTERS: Final = 2200
MAX_ALT_CHARACTERS: Final = 1500
_COUNTED: Final = (
    "Its length is counted in Unicode code points, as Swift's `text.unicodeScalars.count` and "
    "JavaScript's `[...text].length` count it, not `text.count` or `text.length`."
)
# PostgreSQL text cannot hold NUL. Any regular-expression engine reads this.
NO_NUL: Final = r"^[^\x00]*$"

Time: TypeAlias = Annotated[datetime, Meta(tz=True)]

_SHA256_CHARACTERS: Final = 64
# Bodies are at most 64 KiB.
_MAX_PARTS: Final = 900
# How long a presigned URL lives unless the client asks for longer.
DEFAULT_URL_SECONDS: Final = 15 * 60

POST_ID: Final = "0b9c5e0e-6a53-4c0f-9a7b-1f2d3c4b5a69"
USER_ID: Final = "5f3759df-0000-4000-8000-000000000001"
SHA256: Final = "1f3870be274f6c49b3e31a0c6728957f1f3870be274f6c49b3e31a0c6728957f"
IMAGE_KEY: Final = f"uploads/{POST_ID}/original"
UPLOAD_HEADERS: Final = {
    "content-type": "image/jpeg",
    "content-length": "3482111",
    "x-amz-checksum-sha256": "HzhwvidPbEmz4xoMZyiVfx84cL4nT2xJs+MaDGcolX8=",
    "if-none-match": "*",
    "x-amz-meta-user-id": USER_ID,
}

PostId: TypeAlias = Annotated[UUID, Meta(description="The id of the post.", examples=[POST_ID])]
UserId: TypeAlias = Annotated[
    UUID, Meta(description="The user who created the post.", examples=[USER_ID])
]
Caption: TypeAlias = Annotated[
    str,
    Meta(
        description=f"Shown with the photo. {_COUNTED}",
        examples=["A quiet morning"],
        max_length=MAX_CAPTION_CHARACTERS,
        pattern=NO_NUL,
    ),
]
Alt: TypeAlias = Annotated[
    str,
    Meta(
        description="Alternative text: what the photo shows, for those who do not see it. "
        + _COUNTED,
        examples=["Fog over a lake, with one rowing boat"],
        max_length=MAX_ALT_CHARACTERS,
        pattern=NO_NUL,
    ),
]
ImageKey: TypeAlias = Annotated[
    str, Meta(description="The key of the original in the bucket.", examples=[IMAGE_KEY])
]
UploadToken: TypeAlias = Annotated[
    str,
    Meta(
        description="The `upload_token` that `upload/init` returned for this post.",
        examples=["eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJub3ZhOnVwbG9hZCJ9.c2lnbmF0dXJl"],
        max_length=1000,
    ),
]
PresignedUrl: TypeAlias = Annotated[
    str,
    Meta(
        description="PUT the file here with exactly `upload_headers`. Accepts the announced bytes, "
        "once.",
        examples=[f"https://bucket.s3.amazonaws.com/{IMAGE_KEY}?X-Amz-Signature=3b0c"],
    ),
]
UploadHeaders: TypeAlias = Annotated[
    dict[str, str],
    Meta(
        description="The headers of the PUT. Browsers and most HTTP libraries set "
        "`content-length` themselves; send the others unchanged.",
        examples=[UPLOAD_HEADERS],
    ),
]
TokenExpiry: TypeAlias = Annotated[
    Time,
    Meta(
        description="When the upload can no longer be completed.",
        examples=["2026-03-01T09:00:00Z"],
    ),
]
ExpiresIn: TypeAlias = Annotated[
    int,
    Meta(
        description="How many seconds `presigned_url` should live, at most as long as the upload "
        "token. Phones start background transfers late: ask for the longest.",
        examples=[3600],
        ge=60,
        le=3600,
    ),
]
UrlExpiry: TypeAlias = Annotated[
    Time,
    Meta(
        description="When `presigned_url` expires. A PUT must have started by then.",
        examples=["2026-03-01T08:15:00Z"],
    ),
]
Sha256: TypeAlias = Annotated[
    str,
    Meta(
        description="The SHA-256 of the file in lower-case hexadecimal.",
        examples=[SHA256],
        min_length=_SHA256_CHARACTERS,
        max_length=_SHA256_CHARACTERS,
        pattern=r"^[0-9a-f]{64}$",
    ),
]
PartSha256: TypeAlias = Annotated[
    list[
        Annotated[
            str,
            Meta(
                description="The SHA-256 of one part in lower-case hexadecimal.",
                examples=[SHA256],
                min_length=_SHA256_CHARACTERS,
                max_length=_SHA256_CHARACTERS,
                pattern=r"^[0-9a-f]{64}$",
            ),
        ]
    ],
    Meta(
        description="The SHA-256 of each part, in the order of the file. `part_bytes` of "
        "`GET /api/v1/capabilities` is the size of every part but the last one.",
        examples=[[SHA256]],
        min_length=1,
        max_length=_MAX_PARTS,
    ),
]
NameOfVariant: TypeAlias = Annotated[
    VariantName, Meta(description="The name of the variant.", examples=["thumbnail"])
]
