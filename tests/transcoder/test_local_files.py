"""Local files: whatever becomes of one photo, the others are rendered."""

from pathlib import Path

import pytest

from domain.formats import ContentType
from tests.transcoder.rendered import FakeRenderer
from transcoder import local_files
from transcoder.errors import CorruptImage, UnexpectedFailure
from transcoder.local_files import RenderedFile, render_files
from transcoder.rendering import Rendering

pytestmark = pytest.mark.anyio


class FakePool(FakeRenderer):
    """Breaks on what a photo says."""

    def __init__(self, **_: object) -> None:
        super().__init__()

    async def warm(self) -> None:
        pass

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        match content:
            case b"broken":
                raise ZeroDivisionError
            case b"damaged":
                raise CorruptImage(reason="it is")
            case _:
                return await super().render(content, content_type=content_type)


async def test_a_bug_fails_its_own_photo_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_files, "RenderPool", FakePool)
    photos = [tmp_path / name for name in ("damaged", "broken", "good")]
    for photo in photos:
        photo.write_bytes(photo.name.encode())
    done: list[RenderedFile] = []
    await render_files(photos, out=tmp_path / "out", workers=1, finished=done.append)
    outcomes = {file.photo.name: file.outcome for file in done}
    assert isinstance(outcomes["damaged"], CorruptImage)
    assert isinstance(outcomes["broken"], UnexpectedFailure)
    assert str(outcomes["broken"]) == "ZeroDivisionError"
    assert isinstance(outcomes["good"], Rendering)
    assert (tmp_path / "out" / "good" / "thumbnail.jpg").is_file()
