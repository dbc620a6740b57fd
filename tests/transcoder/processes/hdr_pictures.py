"""HDR pictures of the sizes that need the most memory until they are tone-mapped."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import pillow_heif

from domain.formats import ContentType
from tests.transcoder import pictures
from tests.transcoder.processes.largest_pictures import deep, smooth
from tests.transcoder.processing.colour.colour_files import cicp, with_chunks, with_nclx

BT2020_CODE, PQ = 9, 16


class HdrPicture(NamedTuple):
    """A file in PQ, and its type."""

    content_type: ContentType
    make: Callable[[], bytes]


def png() -> bytes:
    """A PNG of 16 bits that fills the box of the largest variant."""
    content: bytes = deep(smooth(4000, 4000)).pngsave_buffer(bitdepth=16, compression=1)
    return with_chunks(content, {b"cICP": cicp(BT2020_CODE, PQ)})


def heic() -> bytes:
    """A HEIC of 10 bits with 24 megapixels, as cameras make them."""
    samples = deep(smooth(6000, 4000)).numpy().astype(np.uint16).tobytes()
    file = pillow_heif.from_bytes("RGB;16", (6000, 4000), samples)
    content = pictures.saved_heic(file, quality=20, enc_params={"preset": "ultrafast"})
    return with_nclx(content, BT2020_CODE, PQ)


HDR: Final = {"PNG": HdrPicture("image/png", png), "HEIC": HdrPicture("image/heic", heic)}
