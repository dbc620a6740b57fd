"""The rehearsal: render one photo through every fast path before the first real one arrives.

Libraries initialise themselves on first use, and the first use of memory is slow: together this
takes as long as a photo.
"""

from functools import cache

from transcoder.processes.phone_photo import phone_photo
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits


@cache
def rehearse() -> None:
    """Render a photo that takes every path a phone's photo takes; once per process."""
    # With enough detail to exceed the byte caps, and with a profile to convert from.
    render(phone_photo(grain=8, profile="p3"), "image/jpeg", Limits())
