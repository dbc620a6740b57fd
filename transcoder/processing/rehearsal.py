"""The rehearsal: one plain picture through every fast path, before the first real one comes.

Libraries prepare themselves when they are first used, which takes as long as a photo does.
"""

from functools import cache
from typing import Final

import numpy as np
import pyvips

from transcoder.processing.colour import convert_colour
from transcoder.processing.jpeg import encode_jpeg
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits

# A phone's photo: memory that is used for the first time is slow, too.
_SHAPE: Final = (3024, 4032, 3)


@cache
def rehearse() -> None:
    """Use everything that a phone's photo uses; once in the life of a process."""
    picture = np.zeros(_SHAPE, np.uint8)
    convert_colour(picture, pyvips.Operation.call("profile_load", "p3"))
    render(encode_jpeg(picture, quality=90), "image/jpeg", Limits())
