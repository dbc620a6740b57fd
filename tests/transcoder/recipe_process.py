"""One process of a deployment: what a worker and an operator do, with the recipes of its code.

`python -m tests.transcoder.recipe_process URL FOLDER STEPS` uses the code in the current folder.
Steps and reports are JSON.
"""

import sys
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote
from uuid import UUID

import anyio
import msgspec
import stamina
from msgspec import Struct
from psycopg import AsyncConnection

from domain.event_store.publishing import Publishing
from domain.formats import ContentType
from domain.recipes import RECIPE_VERSION
from projections.audit.lifecycles import audit_lifecycles
from projections.follow.batch import project_batch
from projections.follow.projection import PROJECTIONS
from projections.rebuild.verify import verify
from tests.fake_object_store import FakeObjectStore
from tests.transcoder.rendered import next_attempt, reprocessing_with, transcoding_with
from transcoder.errors import ObjectStoreUnavailable
from transcoder.media_audit import MediaAudit
from transcoder.object_store.protocol import NewObject
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits, Rendering

# An action (transcode, interrupted, reprocess, audit), and the posts that it is for.
Step: TypeAlias = tuple[str, list[UUID]]


class Report(Struct, frozen=True, kw_only=True):
    """What this process sees: the variants of each post, and everything that is wrong."""

    recipe_version: int
    statuses: dict[UUID, str] = {}
    variants: dict[UUID, set[str]] = {}
    recipe_versions: dict[UUID, int] = {}
    wrong: list[str] = []


class FolderStore(FakeObjectStore):
    """Objects that several processes share; it fails after some puts."""

    def __init__(self, folder: Path, *, puts: int = sys.maxsize) -> None:
        super().__init__()
        self._folder = folder
        self._puts = puts
        self.objects = {unquote(each.name): each.read_bytes() for each in folder.iterdir()}

    async def put(self, new: NewObject) -> None:
        if self._puts == 0:
            raise ObjectStoreUnavailable(operation="put", key=new.key)
        self._puts -= 1
        await super().put(new)
        (self._folder / quote(new.key, safe="")).write_bytes(new.content)


class Renderer:
    """The real pipeline, in this process."""

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        return render(content, content_type, Limits())


async def act(url: str, folder: Path, steps: list[Step]) -> list[Report]:
    """Take the steps in order; each audit makes a report."""
    reports = []
    with Publishing(url) as publishing, stamina.set_testing(True, attempts=1):
        for action, post_ids in steps:
            if action == "audit":
                reports.append(await _audit(url, folder, publishing, post_ids))
                continue
            for post_id in post_ids:
                await _attempt(publishing, folder, action, post_id)
    return reports


async def _attempt(publishing: Publishing, folder: Path, action: str, post_id: UUID) -> None:
    work = next_attempt(post_id)
    if action == "reprocess":
        await reprocessing_with(publishing, FolderStore(folder), Renderer()).run(work)
    elif action == "transcode":
        await transcoding_with(publishing, FolderStore(folder), Renderer()).run(work)
    else:
        # It stops when one variant is recorded.
        store = FolderStore(folder, puts=1)
        try:
            await transcoding_with(publishing, store, Renderer()).run(work)
        except ObjectStoreUnavailable:
            return


async def _audit(url: str, folder: Path, publishing: Publishing, post_ids: list[UUID]) -> Report:
    posts = [publishing.post(post_id) for post_id in post_ids]
    wrong: list[str] = []
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        lifecycles = await audit_lifecycles(connection, progress=lambda *_: None)
        wrong += map(str, [*lifecycles.illegal, *lifecycles.forgotten])
        for projection in PROJECTIONS.values():
            while (await project_batch(connection, projection)).events:
                pass
            wrong += map(str, (await verify(connection, projection)).differences)
    audit = MediaAudit(store=FolderStore(folder), renderer=Renderer())
    for post in posts:
        wrong += [str(each) for each in await audit.of_post(post) if each.is_wrong()]
    return Report(
        recipe_version=RECIPE_VERSION,
        statuses={post.id: post.status for post in posts},
        variants={post.id: set(post.variants) for post in posts},
        recipe_versions={post.id: post.recipe_version for post in posts},
        wrong=wrong,
    )


def main(url: str, folder: str, steps: str) -> None:
    """Take the steps, and print the reports."""
    reports = anyio.run(act, url, Path(folder), msgspec.json.decode(steps, type=list[Step]))
    sys.stdout.buffer.write(msgspec.json.encode(reports))


if __name__ == "__main__":
    main(*sys.argv[1:])
