"""Probes: ask a server of the stack over HTTP whether it is ready."""

from collections.abc import Mapping
from typing import Final

import httpx

_WITHIN_SECONDS: Final = 2


async def succeeds(url: str, headers: Mapping[str, str] | None = None) -> bool:
    """Whether a GET is answered, and with success."""
    try:
        async with _client() as client:
            answer = await client.get(url, headers=headers)
    except httpx.TransportError:
        return False
    return answer.is_success


def _client() -> httpx.AsyncClient:
    # Without `verify`, each client would load all certificate authorities, for as long as a dozen
    # answers take; the servers of the stack speak plain HTTP on this machine.
    return httpx.AsyncClient(timeout=_WITHIN_SECONDS, trust_env=False, verify=False)  # noqa: S501
