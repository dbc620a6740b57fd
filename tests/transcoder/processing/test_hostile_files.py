"""Hostile files through the pool: each becomes a photo or a failure, and costs others nothing."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.formats import ContentType, is_announced_as
from domain.recipes import RECIPES
from tests.transcoder import pictures
from tests.transcoder.processing import hostile
from tests.transcoder.processing.hostile import HOSTILE, good_files
from transcoder.errors import ContentTypeMismatch, PermanentFailure, TranscoderError
from transcoder.processes.pool import RenderPool
from transcoder.rendering import MIB, Limits, Rendering

PIXELS_ONLY: Final = {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
MEMORY_BYTES: Final = 512 * MIB
HEADER_BYTES: Final = 1000
CAPS: Final = {recipe.variant: recipe.max_bytes for recipe in RECIPES}


class Sandboxed:
    """One image process, and what becomes of files in it."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._pool = RenderPool(size=1, limits=Limits())
        before = set(psutil.Process().children())
        portal.call(self._pool.warm)
        self._others = before

    def fate(self, content: bytes, announced: ContentType) -> Rendering | TranscoderError:
        """What becomes of a file; any other error than ours ends the test."""
        try:
            made = self._portal.call(self._render, content, announced)
        except TranscoderError as failure:
            return failure
        assert_plain_and_within_caps(made)
        return made

    def peak_bytes(self) -> int:
        """The most memory that any of its processes ever had."""
        mine = set(psutil.Process().children()) - self._others
        status = (Path(f"/proc/{process.pid}/status").read_text() for process in mine)
        return max(int(text.split("VmHWM:")[1].split()[0]) * 1024 for text in status)

    async def _render(self, content: bytes, announced: ContentType) -> Rendering:
        return await self._pool.render(content, content_type=announced)


def assert_plain_and_within_caps(made: Rendering) -> None:
    for variant in made.variants:
        assert len(variant.content) <= CAPS[variant.name]
        assert {marker for marker, _ in pictures.segments(variant.content)} <= PIXELS_ONLY


@pytest.fixture(scope="module")
def sandboxed() -> Iterator[Sandboxed]:
    with start_blocking_portal() as portal:
        yield Sandboxed(portal)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_becomes_a_photo_or_a_failure_for_good(
    sandboxed: Sandboxed, name: str
) -> None:
    announced, make = HOSTILE[name]
    assert isinstance(sandboxed.fate(make(), announced), Rendering | PermanentFailure)
    assert isinstance(sandboxed.fate(pictures.jpeg(), "image/jpeg"), Rendering)
    if sys.platform == "linux":
        assert sandboxed.peak_bytes() < MEMORY_BYTES


@pytest.mark.parametrize("announced", good_files())
def test_a_photo_that_is_cut_anywhere_is_refused_for_good(
    sandboxed: Sandboxed, announced: ContentType
) -> None:
    for content in hostile.truncated(good_files()[announced]):
        assert isinstance(sandboxed.fate(content, announced), PermanentFailure)


@pytest.mark.parametrize("announced", good_files())
def test_wrong_bytes_end_as_a_photo_or_as_a_failure(
    sandboxed: Sandboxed, announced: ContentType
) -> None:
    for content in hostile.flipped(good_files()[announced], times=60):
        sandboxed.fate(content, announced)
    assert isinstance(sandboxed.fate(pictures.jpeg(), "image/jpeg"), Rendering)


@pytest.mark.parametrize("announced", good_files())
def test_a_photo_under_another_name_is_a_mismatch(
    sandboxed: Sandboxed, announced: ContentType
) -> None:
    for actual, content in good_files().items():
        fate = sandboxed.fate(content, announced)
        if is_announced_as(actual, announced):
            assert isinstance(fate, Rendering)
        else:
            assert isinstance(fate, ContentTypeMismatch)


@given(
    announced=st.sampled_from(list(good_files())),
    changes=st.lists(
        st.tuples(st.integers(0, HEADER_BYTES), st.binary(min_size=1, max_size=8)),
        min_size=1,
        max_size=6,
    ),
)
@settings(max_examples=1000, deadline=None, derandomize=True)
def test_any_header_ends_as_a_photo_or_as_a_failure(
    sandboxed: Sandboxed, announced: ContentType, changes: list[tuple[int, bytes]]
) -> None:
    content = bytearray(good_files()[announced])
    for at, replacement in changes:
        content[at : at + len(replacement)] = replacement
    sandboxed.fate(bytes(content), announced)
