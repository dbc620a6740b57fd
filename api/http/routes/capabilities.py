"""Capabilities: what the service accepts and produces, from the tables it works with."""

from litestar import get
from msgspec import Struct
from msgspec.structs import asdict

from api.http.resources import UseResources
from api.http.routes.uploads import TOKEN_LIFETIME, URL_LIFETIME
from api.http.schemas.uploads import MAX_CAPTION_CHARACTERS
from domain.formats import ContentType, accepted_content_types
from domain.photo_limits import PHOTO_LIMITS
from domain.recipes import MAX_SIDE, RECIPE_VERSION, RECIPES, VARIANT_CONTENT_TYPE, VariantName


class VariantView(Struct, frozen=True, kw_only=True):
    """Bounds of a variant, in pixels and bytes."""

    variant: VariantName
    content_type: str
    max_width: int
    max_height: int
    quality: int
    max_bytes: int


class UploadLimits(Struct, frozen=True, kw_only=True):
    """What is accepted of any type: sizes in bytes, sides in pixels, lifetimes in seconds."""

    min_bytes: int
    max_bytes: int
    max_pixels: int
    max_side: int
    max_caption_characters: int
    presigned_url_seconds: int
    upload_token_seconds: int


class PhotoLimitView(Struct, frozen=True, kw_only=True):
    """Pixel limits of one content type.

    Up to `always_accepted_pixels`, every intact photo is accepted. From there to `max_pixels` it
    depends on its structure: progressive JPEGs, interlaced PNGs, more than 8 bits a sample, full
    colour resolution and alpha need more memory. Above it, none is.
    """

    content_type: ContentType
    max_pixels: int
    always_accepted_pixels: int


class Capabilities(Struct, frozen=True, kw_only=True):
    """What this service accepts and produces."""

    content_types: list[str]
    upload: UploadLimits
    photos: list[PhotoLimitView]
    variants: list[VariantView]
    recipe_version: int


@get("/capabilities", sync_to_thread=False)
def read_capabilities(resources: UseResources) -> Capabilities:
    """Accepted content types, upload limits, and the variants of a published post."""
    settings = resources.settings
    accepted = accepted_content_types(heif=settings.photos.accept_heif)
    return Capabilities(
        content_types=list(accepted),
        photos=[_photo_limit(kind, settings.photos.max_pixels) for kind in accepted],
        upload=UploadLimits(
            min_bytes=settings.uploads.min_bytes,
            max_bytes=settings.uploads.max_bytes,
            max_pixels=settings.photos.max_pixels,
            max_side=MAX_SIDE,
            max_caption_characters=MAX_CAPTION_CHARACTERS,
            presigned_url_seconds=int(URL_LIFETIME.total_seconds()),
            upload_token_seconds=int(TOKEN_LIFETIME.total_seconds()),
        ),
        variants=[
            VariantView(content_type=VARIANT_CONTENT_TYPE, **asdict(recipe)) for recipe in RECIPES
        ],
        recipe_version=RECIPE_VERSION,
    )


def _photo_limit(content_type: ContentType, max_pixels: int) -> PhotoLimitView:
    limit = PHOTO_LIMITS[content_type].within(max_pixels)
    return PhotoLimitView(content_type=content_type, **asdict(limit))
