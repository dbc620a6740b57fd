"""The rehearsal: one photo through every fast path, before the first real one comes.

Libraries prepare themselves when they are first used, which takes as long as a photo does.
"""

from functools import cache
from typing import Final

import numpy as np
import pyvips

from transcoder.processing.pipeline import render
from transcoder.rendering import Limits

# A phone's photo, taken upright: memory that is used for the first time is slow, too.
_HEIGHT, _WIDTH, _BANDS = 3024, 4032, 3
_GRAIN: Final = 48
_UPRIGHT_PHONE: Final = 6


@cache
def rehearse() -> None:
    """Use everything that a phone's photo uses; once in the life of a process."""
    render(_photo(), "image/jpeg", Limits())


def _photo() -> bytes:
    # With enough detail to meet the limits of bytes, and with a profile to convert from.
    grain = np.random.default_rng(seed=1).normal(128, 6, (_GRAIN, _GRAIN, _BANDS))
    tile = pyvips.Image.new_from_array(grain.astype(np.uint8), interpretation="srgb")
    photo = tile.replicate(_WIDTH // _GRAIN, _HEIGHT // _GRAIN)
    photo.set_type(pyvips.GValue.gint_type, "orientation", _UPRIGHT_PHONE)
    content: bytes = photo.jpegsave_buffer(Q=90, profile="p3")
    return content
