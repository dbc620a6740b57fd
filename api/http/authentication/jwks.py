"""The key set of an identity provider: fetched from one URL, cached, and fetched again.

PyJWT has a client for this, too: its fetch blocks a thread without a limit in all, a failed fetch
has no pause, and requests queue up behind it.
"""

import ssl
from typing import Final

import anyio
import httpx
import jwt
import msgspec
import structlog

from api.http.authentication.keys import Key, keys_of_jwks

# A key that the provider removes is refused after this time at the latest.
FRESH_SECONDS: Final = 300.0
# A key that the provider adds is found at once, but unknown key ids cause no more fetches.
PAUSE_SECONDS: Final = 10.0
FETCH_WITHIN_SECONDS: Final = 5.0
# While the provider does not respond, its last keys count for this long.
STALE_SECONDS: Final = 24 * 3600.0
MAX_BYTES: Final = 256 * 1024

_log = structlog.get_logger(__name__)


class Jwks:
    """The keys that an identity provider publishes.

    Args:
        url: of its JSON Web Key Set. Redirects are not followed.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        # Reading the machine's certificates takes a while: once, not for every fetch.
        self._ssl: ssl.SSLContext = httpx.create_ssl_context()
        self._lock = anyio.Lock()
        self._body: bytes | None = None
        self._fetched_at = -float("inf")
        self._tried_at = -float("inf")
        self.keys: tuple[Key, ...] = ()

    @property
    def has_failed(self) -> bool:
        """Whether the last fetch failed, so that a key may be missing."""
        return self._tried_at != self._fetched_at

    async def keep_fresh(self) -> None:
        """Fetch the keys now, and again and again until cancelled."""
        while True:
            await self.fetch()
            await anyio.sleep(PAUSE_SECONDS if self.has_failed else FRESH_SECONDS)

    async def fetch(self) -> None:
        """Fetch the keys, unless they were fetched just now; callers wait for the same fetch."""
        async with self._lock:
            now = anyio.current_time()
            if now - self._tried_at < PAUSE_SECONDS:
                return
            self._tried_at = now
            try:
                await self._fetch()
            except (
                httpx.HTTPError,
                TimeoutError,
                jwt.PyJWTError,
                msgspec.DecodeError,
                RecursionError,
            ) as error:
                _log.warning("jwks_unavailable", error=type(error).__name__, reason=str(error))
                if now - self._fetched_at > STALE_SECONDS:
                    self.keys = ()
            else:
                self._fetched_at = now

    async def _fetch(self) -> None:
        with anyio.fail_after(FETCH_WITHIN_SECONDS):
            body = await self._read()
        if body != self._body:
            # The same bytes keep the same keys, and with them the tokens verified so far.
            self.keys = keys_of_jwks(msgspec.json.decode(body))
            self._body = body
            _log.info("jwks_changed", kids=[key.kid for key in self.keys])

    async def _read(self) -> bytes:
        body = b""
        async with (
            httpx.AsyncClient(verify=self._ssl, timeout=FETCH_WITHIN_SECONDS) as http,
            http.stream("GET", self._url, headers={"Accept": "application/json"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise httpx.HTTPStatusError(
                    f"status {response.status_code}", request=response.request, response=response
                )
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise httpx.DecodingError(f"more than {MAX_BYTES} bytes")
        return body
