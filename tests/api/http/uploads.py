"""Uploads: the steps of a client, on the fake object store."""

import hashlib
from typing import Any
from uuid import UUID

from domain.event_store.publishing import Publishing
from tests.api.http.caller import Caller
from tests.fake_object_store import FakeObjectStore
from tests.histories import record_variant

CONTENT = b"\xff\xd8\xff" + bytes(150_000)


def announcement(**changes: Any) -> dict[str, Any]:
    """A valid body of `upload/init`."""
    return {
        "filename": "IMG_0001.jpg",
        "content_type": "image/jpeg",
        "file_size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "caption": "A quiet morning",
        **changes,
    }


async def open_upload(caller: Caller, **changed: Any) -> dict[str, Any]:
    """The answer of `upload/init`."""
    answer = await caller.post("/api/v1/posts/upload/init", announcement(**changed))
    assert answer.status_code == 201, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


def completion(opened: dict[str, Any]) -> dict[str, Any]:
    """The body of `upload/complete`."""
    return {"post_id": opened["post_id"], "upload_token": opened["upload_token"]}


async def upload(caller: Caller, store: FakeObjectStore) -> dict[str, Any]:
    """Open an upload, let the bytes arrive, and complete it."""
    opened = await open_upload(caller)
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)
    answer = await caller.post("/api/v1/posts/upload/complete", completion(opened))
    assert answer.status_code == 202, answer.text
    return opened


async def published_post(caller: Caller, store: FakeObjectStore, publishing: Publishing) -> str:
    """A published post; its last event is made visible by the next write of the API."""
    post_id: str = (await upload(caller, store))["post_id"]
    for variant in ("thumbnail", "medium", "original"):
        publishing.execute(record_variant(UUID(post_id), variant))
    await open_upload(caller)
    return post_id
