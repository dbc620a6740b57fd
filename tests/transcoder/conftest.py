"""Fixtures of the transcoder's tests: fakes around it, and real photos where there are any."""

from pathlib import Path
from typing import Final

import pytest

from tests.fake_object_store import FakeObjectStore
from tests.transcoder.rendered import FakeRenderer

_PHOTOS: Final = Path(__file__).parents[3] / "shared" / "photos"


@pytest.fixture
def photos() -> Path:
    """The folder of real photos; they are not the project's, so it may be absent."""
    if not _PHOTOS.is_dir():
        pytest.skip(f"there are no photos in {_PHOTOS}")
    return _PHOTOS


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def renderer() -> FakeRenderer:
    return FakeRenderer()
