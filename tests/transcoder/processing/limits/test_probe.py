"""The probe: each limit is the largest picture that passes."""

import pytest
import pyvips

from transcoder.errors import (
    PermanentFailure,
    SideTooLong,
    TooManyBands,
    TooManyPixels,
    TooMuchMemory,
)
from transcoder.processing.limits.probe import check_memory, check_size
from transcoder.rendering import Limits

LIMITS = Limits(max_side=100, max_pixels=5000, max_bands=4, memory_bytes=1000)


@pytest.mark.parametrize(("width", "height", "bands"), [(100, 50, 4), (50, 100, 4), (1, 1, 1)])
def test_what_is_within_every_limit_passes(width: int, height: int, bands: int) -> None:
    check_size(pyvips.Image.black(width, height, bands=bands), LIMITS)


@pytest.mark.parametrize(
    ("width", "height", "bands", "failure", "facts"),
    [
        (101, 1, 3, SideTooLong, {"side": 101, "limit": 100}),
        (1, 101, 3, SideTooLong, {"side": 101, "limit": 100}),
        (100, 51, 3, TooManyPixels, {"pixels": 5100, "limit": 5000}),
        (10, 10, 5, TooManyBands, {"bands": 5, "limit": 4}),
    ],
)
def test_one_more_is_refused(
    width: int, height: int, bands: int, failure: type[PermanentFailure], facts: dict[str, int]
) -> None:
    with pytest.raises(failure) as caught:
        check_size(pyvips.Image.black(width, height, bands=bands), LIMITS)
    assert vars(caught.value) == facts


def test_memory_is_refused_above_its_limit() -> None:
    check_memory(1000, LIMITS)
    with pytest.raises(TooMuchMemory) as caught:
        check_memory(1001, LIMITS)
    assert vars(caught.value) == {"needed": 1001, "limit": 1000}
