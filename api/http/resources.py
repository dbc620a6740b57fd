"""Resources: what request handlers work with, opened once per API process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from litestar import Request
from litestar.di import NamedDependency
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.http.limits.buckets import Buckets, open_buckets
from api.http.observability.metrics import DatabaseCollector
from api.http.probe import Probe
from api.http.writer import Writer
from api.settings import ApiSettings
from domain.event_store.publishing import Publishing
from projections.connection import check_quickly, configure, connection_options, use_utc
from projections.log_tree.keys import open_verifier
from projections.log_tree.notes import Verifier
from transcoder.object_store.protocol import ObjectStore
from transcoder.object_store.s3 import open_s3
from transcoder.queue.connection_metrics import ConnectionPoolCollector, register_collectors

Connections: TypeAlias = AsyncConnectionPool[AsyncConnection[object]]


class Resources(Struct, frozen=True, kw_only=True):
    """The settings and open connections of the process."""

    settings: ApiSettings
    connections: Connections
    store: ObjectStore
    writer: Writer
    buckets: Buckets
    probe: Probe
    log_verifier: Verifier | None

    def media_url(self, request: Request[Any, Any, Any]) -> str:
        """The URL to prefix object keys with: of the CDN, or else of this API."""
        if self.settings.cloudfront_url is not None:
            return self.settings.cloudfront_url.rstrip("/") + "/"
        own = self.settings.server.public_url or str(request.base_url)
        return own.rstrip("/") + "/media/"


# How a request handler declares that it needs them.
UseResources: TypeAlias = NamedDependency[Resources]


@asynccontextmanager
async def open_resources(settings: ApiSettings) -> AsyncIterator[Resources]:
    """The composition root of the API process: open everything, close it in reverse."""
    async with (
        open_s3(settings.object_store) as store,
        resources_with(store, settings) as resources,
    ):
        yield resources


@asynccontextmanager
async def resources_with(store: ObjectStore, settings: ApiSettings) -> AsyncIterator[Resources]:
    """The resources with a given object store."""
    connections: Connections = AsyncConnectionPool(
        settings.database.url,
        min_size=1,
        max_size=settings.database.pool_size,
        timeout=5.0,
        kwargs=connection_options(is_pooled=settings.database.is_pooled),
        configure=use_utc if settings.database.is_pooled else configure,
        check=check_quickly,
        open=False,
    )
    async with connections, open_buckets(settings.limits) as buckets:
        with Publishing(
            settings.database.url,
            pool_size=settings.database.pool_size,
            is_pooled=settings.database.is_pooled,
        ) as publishing:
            pools = {"reads": connections.get_stats, "writes": publishing.connection_stats}
            with register_collectors(
                ConnectionPoolCollector(pools), DatabaseCollector(settings.database.session_url)
            ):
                writer = Writer(publishing, connections, pool_size=settings.database.pool_size)
                yield Resources(
                    settings=settings,
                    connections=connections,
                    store=store,
                    writer=writer,
                    buckets=buckets,
                    probe=Probe(connections, store, buckets),
                    log_verifier=open_verifier(settings.log),
                )
