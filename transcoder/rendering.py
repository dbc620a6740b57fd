"""Rendering: the limits an image process is given, and the variants it returns."""

from typing import Final

from msgspec import Struct

from domain.formats import ContentType
from domain.recipes import MAX_PIXELS, MAX_SIDE, MB
from domain.variants import Variant

MIB: Final = 1 << 20
# What operators plan with for each image process.
PROCESS_BYTES: Final = 512 * MIB
_MARGIN_BYTES: Final = 32 * MIB


class Limits(Struct, frozen=True, kw_only=True):
    """What one picture may be, and what it may cost.

    `memory_bytes` is what a process may need by the header's word. `address_space_bytes` is for
    headers that lie; 1.5 GiB passes every picture within the budget, and 1 GiB does not. A process
    checks its deadline between steps; when it is `overtime_seconds` late, the pool kills it.

    By its header, a picture may cost `cpu_seconds` and as much more as it has megabytes, but never
    more than `most_cpu_seconds`: photos cost a fraction, and files made to cost CPU are tiny.
    """

    max_pixels: int = MAX_PIXELS
    max_side: int = MAX_SIDE
    max_bands: int = 5
    heif: bool = True
    deadline_seconds: float = 30.0
    overtime_seconds: float = 2.0
    cpu_seconds: float = 2.0
    cpu_seconds_per_megabyte: float = 2.0
    most_cpu_seconds: float = 10.0
    memory_bytes: int = PROCESS_BYTES - _MARGIN_BYTES
    address_space_bytes: int = 1536 * MIB
    open_files: int = 64

    def cpu_seconds_for(self, file_size: int) -> float:
        """What a picture of so many bytes may cost by its header."""
        sent = self.cpu_seconds_per_megabyte * file_size / MB
        return min(self.most_cpu_seconds, self.cpu_seconds + sent)

    @property
    def killed_after_seconds(self) -> float:
        """The time after which a picture's process is killed from outside."""
        return self.deadline_seconds + self.overtime_seconds


class RenderedVariant(Variant, frozen=True, kw_only=True):
    """A variant and its JPEG."""

    content: bytes


class Rendering(Struct, frozen=True, kw_only=True):
    """The result of one original: its upright size, its variants, and the time each step took."""

    content_type: ContentType
    width: int
    height: int
    variants: tuple[RenderedVariant, ...]
    blurhash: str
    dominant_colour: str
    step_milliseconds: dict[str, float]
