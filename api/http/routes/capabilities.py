"""Capabilities: what the service accepts and produces, from the very tables it works with."""

from litestar import get
from msgspec.structs import asdict

from api.http.resources import UseServices
from api.http.routes.uploads import TOKEN_LIFETIME, URL_LIFETIME
from api.http.schemas.posts import MAX_CAPTION_CHARACTERS, Capabilities, UploadLimits, VariantView
from domain.formats import accepted_content_types
from domain.recipes import MAX_SIDE, RECIPE_VERSION, RECIPES, VARIANT_CONTENT_TYPE


@get("/capabilities", sync_to_thread=False)
def read_capabilities(services: UseServices) -> Capabilities:
    """The accepted types, the limits, and the variants that every published post has."""
    settings = services.settings
    return Capabilities(
        content_types=list(accepted_content_types(heif=settings.photos.accept_heif)),
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
