"""The sealer: adds to the log's tree, every few seconds, what was appended since.

What is not sealed yet is not protected yet; each round that finds something costs one row.
"""

from typing import Final, NoReturn

import anyio
import psycopg
import structlog
from psycopg import AsyncConnection

from projections.connection import CONNECT_TIMEOUT_SECONDS, configure
from projections.log_tree.sealing import SealsDamaged, seal

SEAL_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


async def keep_sealed(url: str) -> NoReturn:
    """Seal until cancelled, whatever happens: trouble is logged, and tried again.

    Damaged seals stay damaged until an auditor has looked; the projections go on meanwhile.
    """
    while True:
        try:
            await _seal_on_one_connection(url)
        except (psycopg.Error, SealsDamaged) as error:
            _log.error("not_sealed", error=str(error))
            await anyio.sleep(SEAL_SECONDS)


async def _seal_on_one_connection(url: str) -> NoReturn:
    async with await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
    ) as connection:
        await configure(connection)
        while True:
            await seal(connection)
            await anyio.sleep(SEAL_SECONDS)
