"""The rehearsal: one photo through every fast path, before the first real one comes.

Libraries prepare themselves when they are first used, and memory that is used for the first time
is slow: together they take as long as a photo does.
"""

from functools import cache

from transcoder.processes.phone_photo import phone_photo
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits


@cache
def rehearse() -> None:
    """Use everything that a phone's photo uses; once in the life of a process."""
    # With enough detail to exceed the byte caps, and with a profile to convert from.
    render(phone_photo(grain=8, profile="p3"), "image/jpeg", Limits())
