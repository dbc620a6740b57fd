"""Local files: the worker's own pool and pipeline, on photos of this machine."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anyio
from anyio import CapacityLimiter, to_thread
from msgspec import Struct

from domain.formats import SNIFF_BYTES, sniff
from transcoder.errors import TranscoderError, first_failure
from transcoder.processes.pool import RenderPool
from transcoder.rendering import Limits, Rendering


class RenderedFile(Struct, frozen=True, kw_only=True):
    """What became of one photo: a rendering whose variants lie in `folder`, or a failure."""

    photo: Path
    folder: Path
    outcome: Rendering | TranscoderError


async def render_files(
    photos: Sequence[Path], *, out: Path, workers: int, finished: Callable[[RenderedFile], None]
) -> None:
    """Render each photo into a folder of its own below `out`, up to `workers` side by side.

    `finished` is called with each photo as soon as it is done.

    Raises:
        OSError: a photo cannot be read, or a variant not be written.
    """
    pool = RenderPool(size=workers, limits=Limits())
    await pool.warm()
    turns = CapacityLimiter(workers)
    try:
        async with anyio.create_task_group() as tasks:
            for photo in photos:
                # Two photos may share a stem, never a name.
                tasks.start_soon(_render_file, photo, out / photo.name, pool, turns, finished)
    except ExceptionGroup as group:
        raise first_failure(group) from group


async def _render_file(
    photo: Path,
    folder: Path,
    pool: RenderPool,
    turns: CapacityLimiter,
    finished: Callable[[RenderedFile], None],
) -> None:
    async with turns:
        outcome = await _render(photo, pool)
        if isinstance(outcome, Rendering):
            await to_thread.run_sync(partial(_write, outcome, folder))
        finished(RenderedFile(photo=photo, folder=folder, outcome=outcome))


async def _render(photo: Path, pool: RenderPool) -> Rendering | TranscoderError:
    content = await anyio.Path(photo).read_bytes()
    # What has no known beginning is refused by the first step, as it is everywhere else.
    content_type = sniff(content[:SNIFF_BYTES]) or "image/jpeg"
    try:
        return await pool.render(content, content_type=content_type)
    except TranscoderError as failure:
        return failure


def _write(rendering: Rendering, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for variant in rendering.variants:
        (folder / f"{variant.name}.jpg").write_bytes(variant.content)
