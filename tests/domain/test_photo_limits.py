"""Photo limits: each type has its own, and an operator's limit applies to all of them."""

import pytest

from domain.formats import ContentType
from domain.photo_limits import PHOTO_LIMITS, PhotoLimit
from domain.recipes import MEGAPIXEL


@pytest.mark.parametrize("content_type", PHOTO_LIMITS)
def test_what_is_always_accepted_is_below_what_is_never(content_type: ContentType) -> None:
    limit = PHOTO_LIMITS[content_type]
    assert 0 < limit.always_accepted_pixels <= limit.max_pixels


def test_an_operators_limit_lowers_both_and_raises_neither() -> None:
    limit = PhotoLimit(max_pixels=78 * MEGAPIXEL, always_accepted_pixels=10 * MEGAPIXEL)
    assert limit.within(110 * MEGAPIXEL) == limit
    lowered = PhotoLimit(max_pixels=50 * MEGAPIXEL, always_accepted_pixels=10 * MEGAPIXEL)
    assert limit.within(50 * MEGAPIXEL) == lowered
    lowest = PhotoLimit(max_pixels=5 * MEGAPIXEL, always_accepted_pixels=5 * MEGAPIXEL)
    assert limit.within(5 * MEGAPIXEL) == lowest
