"""The media audit: render variants again from stored originals, and compare their bytes.

Without a renderer, it compares the checksums that the object store knows.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias
from uuid import UUID

import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from domain.errors import PostNotFound
from domain.event_store.publishing import Publishing
from domain.post import Post
from domain.recipes import RECIPE_VERSION, VariantName
from domain.variants import StoredVariant
from transcoder.errors import (
    ChecksumMismatch,
    ObjectStoreUnavailable,
    OriginalMissing,
    TranscoderError,
    first_failure,
)
from transcoder.jobs.work import Renderer
from transcoder.object_store.protocol import Announced, ObjectStore
from transcoder.object_store.s3 import open_s3
from transcoder.processes.pool import RenderPool
from transcoder.rendering import Rendering
from transcoder.settings import WorkerSettings

# The result of rendering again. This worker cannot compare `other_encoder` and `other_recipe`;
# `not_tried`: nothing was rendered, and the original is intact.
Derived: TypeAlias = Literal[
    "same",
    "differs",
    "original_missing",
    "original_differs",
    "other_encoder",
    "other_recipe",
    "not_rendered",
    "not_tried",
]
Stored: TypeAlias = Literal["same", "differs", "missing"]

_FIRST: Final = UUID(int=0)
_BATCH: Final = 200

_POSTS: Final = """
SELECT DISTINCT originator_id FROM post_events
WHERE topic = 'post.variant_ready' AND originator_id > %(after)s
ORDER BY originator_id LIMIT %(limit)s
"""


class AuditedVariant(Struct, frozen=True, kw_only=True):
    """One recorded variant: whether it was derived again, and whether it is still stored."""

    post_id: UUID
    variant: VariantName
    key: str
    sha256: str
    derived: Derived
    stored: Stored

    def is_wrong(self) -> bool:
        """Whether bytes are missing or differ from those that the events recorded."""
        incomparable = {"other_encoder", "other_recipe", "not_tried"}
        return self.stored != "same" or self.derived not in {"same", *incomparable}


class MediaAudit:
    """Audits posts; safe for concurrent tasks."""

    def __init__(self, *, store: ObjectStore, renderer: Renderer | None) -> None:
        self._store = store
        self._renderer = renderer

    async def of_post(self, post: Post) -> list[AuditedVariant]:
        """Audit each variant that the events of a post recorded.

        Raises:
            ObjectStoreUnavailable: the object store does not answer.
        """
        outcome = await (
            self._derive(post, self._renderer) if self._renderer else self._check_original(post)
        )
        return [
            AuditedVariant(
                post_id=post.id,
                variant=recorded.name,
                key=recorded.key,
                sha256=recorded.sha256,
                derived=outcome if isinstance(outcome, str) else _compare(recorded, outcome),
                stored=await self._stored(recorded.key, recorded.sha256),
            )
            for recorded in post.variants.values()
        ]

    async def _check_original(self, post: Post) -> Derived:
        match await self._stored(post.image_key, post.sha256):
            case "missing":
                return "original_missing"
            case "differs":
                return "original_differs"
            case "same":
                return "not_tried"

    async def _derive(self, post: Post, renderer: Renderer) -> Rendering | Derived:
        if all(made.recipe_version != RECIPE_VERSION for made in post.variants.values()):
            return "other_recipe"
        try:
            original = await self._store.download(Announced.original_of(post))
            return await renderer.render(original, content_type=post.content_type)
        except OriginalMissing:
            return "original_missing"
        except ChecksumMismatch:
            return "original_differs"
        except ObjectStoreUnavailable:
            raise
        except TranscoderError:
            return "not_rendered"

    async def _stored(self, key: str, sha256: str) -> Stored:
        if self._renderer is None:
            found = await self._store.stat(key)
            actual = found and (found.sha256 or "none was stored")
        else:
            content = await self._store.read(key)
            actual = None if content is None else hashlib.sha256(content).hexdigest()
        if actual is None:
            return "missing"
        return "same" if actual == sha256 else "differs"


async def run_media_audit(
    settings: WorkerSettings,
    post_id: UUID | None,
    *,
    only_stored: bool = False,
    audited: Callable[[list[AuditedVariant]], None],
) -> None:
    """Audit one post, or all that have variants, as many in parallel as the worker renders.

    Args:
        settings: those of a worker.
        post_id: which post; None for all.
        only_stored: compare the checksums that the store knows, and render nothing.
        audited: called with the variants of each post as soon as it is done.

    Raises:
        PostNotFound: there is no such post, or it was deleted.
        UnreadableEvent: an event is damaged; `nova audit verify` has details.
        ObjectStoreUnavailable: the object store does not answer.
        psycopg.Error, EventStoreUnavailable: the database does not.
    """
    try:
        async with (
            _open_audit(settings, only_stored=only_stored) as audit,
            anyio.create_task_group() as tasks,
        ):
            # One stream for all tasks: each takes the next post when it is done with one.
            send, receive = anyio.create_memory_object_stream[Post]()
            async with send:
                for _ in range(settings.concurrency):
                    tasks.start_soon(_audit_each, audit, receive.clone(), audited)
                receive.close()
                async for post in _posts(settings.database.session_url, post_id):
                    await send.send(post)
    except ExceptionGroup as group:
        raise first_failure(group) from group


@asynccontextmanager
async def _open_audit(settings: WorkerSettings, *, only_stored: bool) -> AsyncIterator[MediaAudit]:
    """The composition root: the worker's object store, and its pool if variants are rendered."""
    async with open_s3(settings.object_store) as store:
        if only_stored:
            yield MediaAudit(store=store, renderer=None)
            return
        pool = RenderPool(size=settings.concurrency, limits=settings.limits())
        await pool.warm()
        async with pool.kept_warm():
            yield MediaAudit(store=store, renderer=pool)


async def _audit_each(
    audit: MediaAudit,
    posts: MemoryObjectReceiveStream[Post],
    audited: Callable[[list[AuditedVariant]], None],
) -> None:
    async with posts:
        async for post in posts:
            audited(await audit.of_post(post))


async def _posts(url: str, post_id: UUID | None) -> AsyncIterator[Post]:
    """The post, or all that have variants, except deleted ones: nothing is kept of them."""
    with Publishing(url, pool_size=1) as publishing:
        if post_id is not None:
            post = await to_thread.run_sync(publishing.post, post_id)
            if post.status == "deleted":
                raise PostNotFound(post_id)
            yield post
            return
        async for each in _ids(url):
            post = await to_thread.run_sync(publishing.post, each)
            if post.status != "deleted":
                yield post


async def _ids(url: str) -> AsyncIterator[UUID]:
    after = _FIRST
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        while ids := await _page(connection, after):
            for each in ids:
                yield each
            after = ids[-1]


async def _page(connection: AsyncConnection[object], after: UUID) -> list[UUID]:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_POSTS, {"after": after, "limit": _BATCH})
        return await cursor.fetchall()


def _compare(recorded: StoredVariant, rendering: Rendering) -> Derived:
    derived = next((each for each in rendering.variants if each.name == recorded.name), None)
    if derived is None or derived.recipe_version != recorded.recipe_version:
        return "other_recipe"
    if derived.encoder != recorded.encoder:
        return "other_encoder"
    return "same" if derived.sha256 == recorded.sha256 else "differs"
