"""Schemas of capabilities: what the service accepts and produces."""

from typing import Annotated

from msgspec import Meta, Struct

from api.http.schemas.fields import NameOfVariant
from domain.formats import ContentType


class VariantView(Struct, frozen=True, kw_only=True):
    """Bounds of a variant."""

    variant: NameOfVariant
    content_type: Annotated[str, Meta(description="Its type.", examples=["image/jpeg"])]
    max_width: Annotated[int, Meta(description="Widest, in pixels.", examples=[150])]
    max_height: Annotated[int, Meta(description="Highest, in pixels.", examples=[150])]
    quality: Annotated[int, Meta(description="The JPEG quality, if it fits.", examples=[80])]
    max_bytes: Annotated[int, Meta(description="Largest, in bytes.", examples=[30_000])]


class UploadLimits(Struct, frozen=True, kw_only=True):
    """What is accepted of any type."""

    min_bytes: Annotated[int, Meta(description="Smallest file, in bytes.", examples=[100_000])]
    max_bytes: Annotated[int, Meta(description="Largest file, in bytes.", examples=[50_000_000])]
    part_bytes: Annotated[
        int,
        Meta(description="The size of the parts of an upload in parts.", examples=[8_000_000]),
    ]
    max_pixels: Annotated[int, Meta(description="Most pixels.", examples=[110_000_000])]
    max_side: Annotated[int, Meta(description="Longest side, in pixels.", examples=[65_500])]
    max_caption_characters: Annotated[
        int, Meta(description="Longest caption, in Unicode code points.", examples=[2200])
    ]
    max_alt_characters: Annotated[
        int, Meta(description="Longest alternative text, in Unicode code points.", examples=[1500])
    ]
    presigned_url_seconds: Annotated[
        int, Meta(description="How long a presigned URL lives, in seconds.", examples=[900])
    ]
    upload_token_seconds: Annotated[
        int, Meta(description="How long an upload may take, in seconds.", examples=[3600])
    ]


class PhotoLimitView(Struct, frozen=True, kw_only=True):
    """Pixel limits of one content type.

    Up to `always_accepted_pixels`, every intact photo is accepted. From there to `max_pixels` it
    depends on its structure: progressive JPEGs, interlaced PNGs, more than 8 bits a sample, full
    colour resolution and alpha need more memory. Above it, none is.
    """

    content_type: Annotated[ContentType, Meta(description="The type.", examples=["image/jpeg"])]
    max_pixels: Annotated[
        int, Meta(description="No photo may have more pixels.", examples=[110_000_000])
    ]
    always_accepted_pixels: Annotated[
        int, Meta(description="Every intact photo may have these.", examples=[50_000_000])
    ]


class Capabilities(Struct, frozen=True, kw_only=True):
    """What this service accepts and produces."""

    content_types: Annotated[
        list[ContentType], Meta(description="What photos may be.", examples=[["image/jpeg"]])
    ]
    upload: UploadLimits
    photos: Annotated[list[PhotoLimitView], Meta(description="Limits by content type.")]
    variants: Annotated[
        list[VariantView], Meta(description="The pictures that every published post has.")
    ]
    recipe_version: Annotated[
        int, Meta(description="The version of the recipes of all variants.", examples=[3])
    ]
