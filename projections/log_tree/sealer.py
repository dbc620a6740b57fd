"""The sealer: extends the log's tree every few seconds.

Events appended since the last checkpoint are not protected yet.
"""

from functools import partial
from typing import Final, NoReturn

import anyio

from projections.connection import connected, limit_transactions
from projections.log_tree.notes import Signer
from projections.log_tree.sealing import seal
from projections.restarts import keep_running

# The span in which an event could be changed unnoticed; each round with events stores a checkpoint,
# 6 million of them in a year.
SEAL_SECONDS: Final = 5.0


async def keep_sealed(url: str, signer: Signer | None = None) -> NoReturn:
    """Seal until cancelled, and sign if there is a key; after any error it starts again.

    Without the last checkpoint every retry fails until an auditor acts; projections go on.
    """
    await keep_running(partial(_seal_on_one_connection, url, signer), loop="sealer")


async def _seal_on_one_connection(url: str, signer: Signer | None) -> NoReturn:
    async with connected(url) as connection:
        await limit_transactions(connection)
        while True:
            await seal(connection, signer)
            await anyio.sleep(SEAL_SECONDS)
