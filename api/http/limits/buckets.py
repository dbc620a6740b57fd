"""Buckets: token buckets of users and addresses, in memory or shared on Valkey or Redis.

The algorithm is GCRA, a token bucket that stores one time instead of tokens and a time. A limit of
n per minute is a bucket of n tokens that takes a minute to fill.
"""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeAlias

import anyio
import structlog
from msgspec import Struct
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.exceptions import RedisError
from throttled.asyncio import BaseStore, MemoryStore, RedisStore, RedisStoreBackend, per_min
from throttled.asyncio.rate_limiter import GCRARateLimiter
from throttled.exceptions import StoreUnavailableError

from api.http.errors import LimitsUnavailable, TooManyRequests
from api.http.limits.classes import ADDRESSES_PER_USER, ROUTE_CLASSES, RouteClass
from api.settings import LimitSettings

Whose: TypeAlias = Literal["user", "address"]

# More than that many at once are forgotten, the longest unused first.
BUCKETS_IN_MEMORY: Final = 100_000
STORE_WITHIN_SECONDS: Final = 0.5
# While the store does not respond, so many seconds pass between two attempts.
PAUSE_SECONDS: Final = 1.0
# What fills the service while no limit holds; everything else goes on.
REFUSED_WITHOUT_STORE: Final[frozenset[RouteClass]] = frozenset({"init"})

LIMITED: Final = Counter(
    "nova_limited_requests", "Requests answered with 429.", ["route_class", "whose"]
)
STORE_UP: Final = Gauge("nova_limits_store_up", "Whether the store of the limits responds.")

_FAILURES: Final = (StoreUnavailableError, RedisError, OSError, TimeoutError)

_log = structlog.get_logger(__name__)


class Taken(Struct, frozen=True):
    """A bucket after a request took a token of it: tokens left, and seconds until it is full."""

    route_class: RouteClass
    limit: int
    remaining: int
    full_after_seconds: int


class Buckets:
    """Buckets in `store`; safe for concurrent requests.

    Args:
        settings: how many requests per minute each class allows.
        store: where the buckets are.
        redis: the connection of a store that other processes share.
    """

    def __init__(self, settings: LimitSettings, *, store: BaseStore, redis: Redis | None) -> None:
        self._redis = redis
        self._retry_at = -math.inf
        self._limiters: dict[tuple[RouteClass, Whose], GCRARateLimiter] = {}
        for route_class in ROUTE_CLASSES if settings.are_on else ():
            per_user = getattr(settings, route_class)
            limits: dict[Whose, int] = {
                "user": per_user,
                "address": per_user * (1 if route_class == "anonymous" else ADDRESSES_PER_USER),
            }
            for whose, limit in limits.items():
                if limit:
                    key = f"nova:{whose}:{route_class}"
                    limiter = GCRARateLimiter(per_min(limit), store, key_prefix=key)
                    self._limiters[route_class, whose] = limiter

    @property
    def is_up(self) -> bool:
        """Whether the store responded the last time."""
        return self._retry_at == -math.inf

    async def ping(self) -> bool:
        """Whether the store responds now."""
        if self._redis is None:
            return True
        try:
            with anyio.fail_after(STORE_WITHIN_SECONDS):
                await self._redis.get("nova:ping")
        except _FAILURES as error:
            self._note_failure(error)
        else:
            self._note_success()
        return self.is_up

    async def take(self, route_class: RouteClass, whose: Whose, key: str) -> Taken | None:
        """Take a token of a bucket; None if it has no limit.

        Raises:
            TooManyRequests: it has no token left.
            LimitsUnavailable: the store does not respond, and the class needs it.
        """
        limiter = self._limiters.get((route_class, whose))
        if limiter is None:
            return None
        if anyio.current_time() < self._retry_at:
            _refuse_without_store(route_class)
            return None
        try:
            with anyio.fail_after(STORE_WITHIN_SECONDS):
                result = await limiter.limit(key)
        except _FAILURES as error:
            self._note_failure(error)
            _refuse_without_store(route_class)
            return None
        self._note_success()
        taken = Taken(
            route_class=route_class,
            limit=result.state.limit,
            remaining=result.state.remaining,
            full_after_seconds=math.ceil(result.state.reset_after),
        )
        if result.limited:
            LIMITED.labels(route_class, whose).inc()
            raise TooManyRequests(taken.limit, seconds=max(1, math.ceil(result.state.retry_after)))
        return taken

    def _note_failure(self, error: Exception) -> None:
        if self.is_up:
            _log.warning("limits_store_unavailable", error=type(error).__name__)
        self._retry_at = anyio.current_time() + PAUSE_SECONDS
        STORE_UP.set(0)

    def _note_success(self) -> None:
        if not self.is_up:
            _log.info("limits_store_available")
        self._retry_at = -math.inf
        STORE_UP.set(1)


def _refuse_without_store(route_class: RouteClass) -> None:
    if route_class in REFUSED_WITHOUT_STORE:
        raise LimitsUnavailable


@asynccontextmanager
async def open_buckets(settings: LimitSettings) -> AsyncIterator[Buckets]:
    """Buckets in memory, or on the server of `redis_url`, which need not respond yet."""
    if settings.redis_url is None:
        memory = MemoryStore(options={"MAX_SIZE": BUCKETS_IN_MEMORY})
        yield Buckets(settings, store=memory, redis=None)
        return
    async with Redis.from_url(
        settings.redis_url,
        socket_timeout=STORE_WITHIN_SECONDS,
        socket_connect_timeout=STORE_WITHIN_SECONDS,
    ) as redis:
        yield Buckets(settings, store=_store_on(redis), redis=redis)


def _store_on(redis: Redis) -> RedisStore:
    """A store on this connection: those of the library are kept for the process, never closed."""

    class Backend(RedisStoreBackend):
        def get_client(self) -> Any:  # noqa: ANN401 - the library's protocol lacks what it has
            return redis

    class Store(RedisStore):
        _BACKEND_CLASS = Backend

    return Store()
