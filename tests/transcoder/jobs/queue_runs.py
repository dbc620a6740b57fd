"""Runs of the real queue in this process, and posts whose jobs wait in it."""

import hashlib
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from procrastinate import App

from domain.event_store.publishing import Publishing
from domain.keys import original_key
from tests.fake_object_store import FakeObjectStore
from tests.histories import NOON, confirm_upload, create_post
from tests.sql import Connections, run

CONTENT: Final = b"the bytes of an original"


def uploaded(publishing: Publishing, store: FakeObjectStore, *, at: datetime = NOON) -> UUID:
    """A post whose photo has arrived, at this time, and whose job waits."""
    post_id = uuid4()
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    announced = create_post(
        post_id, sha256=sha256, file_size=len(CONTENT), upload_expires_at=at + timedelta(hours=1)
    )
    publishing.execute(announced)
    publishing.execute(confirm_upload(post_id, at=at))
    store.arrive(original_key(post_id), CONTENT)
    return post_id


async def work_once(queue: App) -> None:
    """Run every job that is due, and come back."""
    await queue.run_worker_async(
        wait=False, listen_notify=False, install_signal_handlers=False, delete_jobs="successful"
    )


async def work_again(queue: App, connections: Connections) -> None:
    """The same, and those that wait for their next attempt are due."""
    await run(connections, "UPDATE procrastinate_jobs SET scheduled_at = NULL")
    await work_once(queue)
