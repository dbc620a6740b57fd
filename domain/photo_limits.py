"""Photo limits: how many pixels an original may have, by type.

They come from the memory of an image process, and apply besides `MAX_PIXELS`. A decoder needs
little memory for each pixel of most files of a type, and much for those with many bits, with alpha,
or sent in several passes.
"""

from typing import Final

from msgspec import Struct

from domain.formats import ContentType
from domain.recipes import MAX_SIDE, MEGAPIXEL


class PhotoLimit(Struct, frozen=True, kw_only=True):
    """The limits of one type, in pixels.

    No photo with more than `max_pixels` is accepted; every intact one with up to
    `always_accepted_pixels` is, whatever its structure and size in bytes.
    """

    max_pixels: int
    always_accepted_pixels: int

    def within(self, max_pixels: int) -> "PhotoLimit":
        """The same below an operator's limit."""
        return PhotoLimit(
            max_pixels=min(self.max_pixels, max_pixels),
            always_accepted_pixels=min(self.always_accepted_pixels, max_pixels),
        )


# Decoded row by row, unless progressive or interlaced: memory sets no limit.
_ANY: Final = MAX_SIDE**2
_HEIF: Final = PhotoLimit(max_pixels=78 * MEGAPIXEL, always_accepted_pixels=10 * MEGAPIXEL)

# What the memory budget of an image process bears; a test compares them with it.
PHOTO_LIMITS: Final[dict[ContentType, PhotoLimit]] = {
    "image/jpeg": PhotoLimit(max_pixels=_ANY, always_accepted_pixels=33 * MEGAPIXEL),
    "image/png": PhotoLimit(max_pixels=_ANY, always_accepted_pixels=21 * MEGAPIXEL),
    "image/webp": PhotoLimit(max_pixels=78 * MEGAPIXEL, always_accepted_pixels=66 * MEGAPIXEL),
    "image/heic": _HEIF,
    "image/heif": _HEIF,
    "image/avif": PhotoLimit(max_pixels=24 * MEGAPIXEL, always_accepted_pixels=9 * MEGAPIXEL),
}
