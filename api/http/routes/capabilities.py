"""Capabilities: what the service accepts and produces, from the tables it works with."""

from typing import Any, Final

from litestar import Request, Response, get
from msgspec.structs import asdict

from api.http.errors import PreconditionFailed
from api.http.openapi.operations import OpenOperation
from api.http.openapi.responses import CACHE, ETAG, NOT_MODIFIED, problem_responses
from api.http.openapi.tags import SERVICE
from api.http.resources import UseResources
from api.http.routes.announcements import TOKEN_LIFETIME
from api.http.routes.responses import respond_with_etag
from api.http.schemas.capabilities import (
    Capabilities,
    PhotoLimitView,
    UploadLimits,
    VariantView,
)
from api.http.schemas.fields import (
    DEFAULT_URL_SECONDS,
    MAX_ALT_CHARACTERS,
    MAX_CAPTION_CHARACTERS,
)
from api.settings import ApiSettings
from domain.formats import ContentType, accepted_content_types
from domain.photo_limits import PHOTO_LIMITS
from domain.recipes import MAX_SIDE, RECIPE_VERSION, RECIPES, VARIANT_CONTENT_TYPE
from transcoder.object_store.parts import PART_BYTES

# Settings change with a deployment only; a client that revalidates costs next to nothing.
CACHE_CONTROL: Final = "public, max-age=60"


@get(
    "/capabilities",
    operation_id="getCapabilities",
    response_description="What is accepted.",
    summary="Read what is accepted",
    tags=[SERVICE.name],
    operation_class=OpenOperation,
    response_headers=[ETAG, CACHE],
    responses={
        **NOT_MODIFIED,
        **problem_responses(PreconditionFailed, is_open=True, uses_database=False),
    },
    sync_to_thread=False,
)
def read_capabilities(
    request: Request[Any, Any, Any], resources: UseResources
) -> Response[Capabilities]:
    """Accepted content types, upload limits, and the variants of a published post."""
    capabilities = _capabilities(resources.settings)
    return respond_with_etag(request, capabilities, cache_control=CACHE_CONTROL, vary=None)


def _capabilities(settings: ApiSettings) -> Capabilities:
    accepted = accepted_content_types(heif=settings.photos.accept_heif)
    return Capabilities(
        content_types=list(accepted),
        photos=[_photo_limit(kind, settings.photos.max_pixels) for kind in accepted],
        upload=UploadLimits(
            min_bytes=settings.uploads.min_bytes,
            max_bytes=settings.uploads.max_bytes,
            part_bytes=PART_BYTES,
            max_pixels=settings.photos.max_pixels,
            max_side=MAX_SIDE,
            max_caption_characters=MAX_CAPTION_CHARACTERS,
            max_alt_characters=MAX_ALT_CHARACTERS,
            presigned_url_seconds=DEFAULT_URL_SECONDS,
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
