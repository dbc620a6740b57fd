"""Forged replies: what an attacker in an image process can make of a worker: a failed photo."""

import math
import pickle
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.transcoder import pictures
from transcoder.errors import RendererCrashed
from transcoder.processes.claims import ForgedReply, check
from transcoder.processes.image_process import ImageProcess
from transcoder.processes.messages import MOST_REPLY_BYTES, Failed, Ready, Rendered
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits, Rendering

READY: Final = msgspec.msgpack.encode(Ready(()))
# Runs instead of an image process: says that it is warm, and answers every request with REPLY.
IMPOSTOR: Final = """
import os, sys
ready, reply = {ready!r}, {reply!r}
os.write(1, len(ready).to_bytes(8) + ready)
while len(os.read(0, 1_000_000)) == 1_000_000:
    pass
os.write(1, reply)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def honest() -> Rendering:
    """What a photo becomes."""
    return render(pictures.jpeg(), "image/jpeg", Limits())


def test_an_honest_rendering_is_believed(honest: Rendering) -> None:
    check(honest)


@pytest.mark.parametrize(
    "forged",
    [
        {"width": 0},
        {"height": 2**40},
        {"blurhash": "<script>"},
        {"dominant_colour": "red"},
        {"step_milliseconds": {"a label of its own": 1.0}},
        {"step_milliseconds": {"decode": math.nan}},
        {"variants": ()},
    ],
    ids=str,
)
def test_a_forged_fact_of_a_rendering_is_refused(honest: Rendering, forged: dict[str, Any]) -> None:
    with pytest.raises(ForgedReply):
        check(msgspec.structs.replace(honest, **forged))


@pytest.mark.parametrize(
    "forged",
    [
        {"name": "../../originals/of-someone-else"},
        {"sha256": "../../originals/of-someone-else"},
        {"sha256": "0" * 64},
        {"width": 2**40},
        {"height": -1},
        {"file_size": 1},
        {"quality": 2**40},
        {"recipe_version": 99},
        {"encoder": "\x1b[2J"},
        {"milliseconds": math.inf},
    ],
    ids=str,
)
def test_a_forged_fact_of_a_variant_is_refused(honest: Rendering, forged: dict[str, Any]) -> None:
    first, *others = honest.variants
    variants = (msgspec.structs.replace(first, **forged), *others)
    with pytest.raises(ForgedReply):
        check(msgspec.structs.replace(honest, variants=variants))


def test_a_variant_above_its_byte_cap_is_refused(honest: Rendering) -> None:
    first, *others = honest.variants
    large = msgspec.structs.replace(first, content=bytes(3_000_000), file_size=3_000_000)
    with pytest.raises(ForgedReply):
        check(msgspec.structs.replace(honest, variants=(large, *others)))


class Program:
    """A pickle that runs a program where it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(8) + content


@pytest.mark.anyio
@pytest.mark.parametrize(
    "reply",
    [
        framed(b""),
        framed(b"\xc1"),
        framed(READY),
        framed(msgspec.msgpack.encode(Failed("no_such_code", {}, ()))),
        framed(msgspec.msgpack.encode(Failed("too_many_pixels", {"pixels": 1, "path": "/"}, ()))),
        (MOST_REPLY_BYTES + 1).to_bytes(8) + bytes(1000),
        (2**63).to_bytes(8),
    ],
)
async def test_a_forged_reply_costs_its_picture_and_its_process_only(
    reply: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await impostor(reply, tmp_path, monkeypatch)
    with pytest.raises(RendererCrashed):
        await process.render(pictures.jpeg(), "image/jpeg")
    assert not process.is_alive


@pytest.mark.anyio
async def test_a_pickle_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched = tmp_path / "touched"
    program = pickle.dumps(Program(touched))
    process = await impostor(framed(program), tmp_path, monkeypatch)
    with pytest.raises(RendererCrashed):
        await process.render(pictures.jpeg(), "image/jpeg")
    assert not touched.exists()


@pytest.mark.anyio
async def test_a_forged_rendering_is_not_returned(
    honest: Rendering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = msgspec.structs.replace(honest, width=2**40)
    reply = framed(msgspec.msgpack.encode(Rendered(forged)))
    process = await impostor(reply, tmp_path, monkeypatch)
    with pytest.raises(RendererCrashed):
        await process.render(pictures.jpeg(), "image/jpeg")
    assert not process.is_alive


async def impostor(reply: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ImageProcess:
    """A process that says it is an image process, and is not."""
    package = folder / "transcoder" / "processes"
    package.mkdir(parents=True)
    for each in (package.parent, package):
        (each / "__init__.py").touch()
    (package / "__main__.py").write_text(IMPOSTOR.format(ready=READY, reply=reply))
    monkeypatch.syspath_prepend(str(folder))
    return await ImageProcess.start(Limits())
