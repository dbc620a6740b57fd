"""Local files: render photos of this machine with the worker's pool and pipeline."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anyio
from anyio import CapacityLimiter, to_thread
from msgspec import Struct

from domain.formats import SNIFF_BYTES, sniff
from transcoder.errors import TranscoderError, UnexpectedFailure, first_failure
from transcoder.processes.pool import RenderPool
from transcoder.rendering import Limits, Rendering


class RenderedFile(Struct, frozen=True, kw_only=True):
    """The outcome for one photo: a rendering, with its variants in `folder`, or a failure."""

    photo: Path
    folder: Path
    outcome: Rendering | TranscoderError


async def render_files(
    photos: Sequence[Path], *, out: Path, workers: int, finished: Callable[[RenderedFile], None]
) -> None:
    """Render each photo into its own folder below `out`, up to `workers` in parallel.

    `finished` is called with each photo as soon as it is done.

    Raises:
        OSError: a photo cannot be read, or a variant cannot be written.
    """
    pool = RenderPool(size=workers, limits=Limits())
    await pool.warm()
    slots = CapacityLimiter(workers)
    try:
        async with anyio.create_task_group() as tasks:
            for photo in photos:
                # Photos in one folder may share a stem, but not a name.
                tasks.start_soon(_render_file, photo, out / photo.name, pool, slots, finished)
    except ExceptionGroup as group:
        raise first_failure(group) from group


async def _render_file(
    photo: Path,
    folder: Path,
    pool: RenderPool,
    slots: CapacityLimiter,
    finished: Callable[[RenderedFile], None],
) -> None:
    async with slots:
        outcome = await _outcome_of(photo, pool)
        if isinstance(outcome, Rendering):
            await to_thread.run_sync(partial(_write, outcome, folder))
        finished(RenderedFile(photo=photo, folder=folder, outcome=outcome))


async def _outcome_of(photo: Path, pool: RenderPool) -> Rendering | TranscoderError:
    content = await anyio.Path(photo).read_bytes()
    # The first step refuses a file of unknown type, whatever type is announced.
    content_type = sniff(content[:SNIFF_BYTES]) or "image/jpeg"
    try:
        return await pool.render(content, content_type=content_type)
    except TranscoderError as failure:
        return failure
    except Exception as error:  # noqa: BLE001 - one photo's failure must not end the others
        return UnexpectedFailure.of(error)


def _write(rendering: Rendering, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for variant in rendering.variants:
        (folder / f"{variant.name}.jpg").write_bytes(variant.content)
