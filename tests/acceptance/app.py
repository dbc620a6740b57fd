"""An app: a client of the API that uses HTTP alone, step by step."""

import hashlib
import time
from typing import Any
from uuid import UUID, uuid4

import httpx

from api.http.authentication.tokens import create_token
from api.http.authentication.users import User

PUBLISHED_WITHIN_SECONDS = 60


class App:
    """One user's app."""

    def __init__(self, http: httpx.Client, *, secret: str, user_id: UUID | None = None) -> None:
        self.http = http
        self.user_id = user_id or uuid4()
        self.token = create_token(secret, User(id=self.user_id, role="user"))

    def ask(self, method: str, path: str, content: object = None) -> httpx.Response:
        """Send one authenticated request."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.http.request(method, f"/api/v1{path}", json=content, headers=headers)

    def init(
        self, content: bytes, *, content_type: str = "image/jpeg", **more: str
    ) -> dict[str, Any]:
        """Announce a photo."""
        announced = {
            "filename": "IMG_0001.jpg",
            "content_type": content_type,
            "file_size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            **more,
        }
        answer = self.ask("POST", "/posts/upload/init", announced)
        assert answer.status_code == 201, answer.text
        opened: dict[str, Any] = answer.json()
        return opened

    def put(self, opened: dict[str, Any], content: bytes) -> httpx.Response:
        """Send the photo to the object store."""
        url, headers = opened["presigned_url"], opened["upload_headers"]
        return self.http.put(url, content=content, headers=headers)

    def complete(self, opened: dict[str, Any]) -> httpx.Response:
        """Complete the upload."""
        return self.ask("POST", "/posts/upload/complete", self.completion(opened))

    def completion(self, opened: dict[str, Any]) -> dict[str, str]:
        """The body of `complete`."""
        return {"post_id": opened["post_id"], "upload_token": opened["upload_token"]}

    def upload(self, content: bytes, *, content_type: str = "image/jpeg") -> str:
        """Announce, send and complete a photo; returns the id of its post."""
        opened = self.init(content, content_type=content_type)
        assert self.put(opened, content).status_code == 200
        assert self.complete(opened).status_code == 202
        post_id: str = opened["post_id"]
        return post_id

    def wait_until_final(self, post_id: str) -> dict[str, Any]:
        """Poll until the post is published or failed, and return it."""
        deadline = time.monotonic() + PUBLISHED_WITHIN_SECONDS
        while True:
            post: dict[str, Any] = self.ask("GET", f"/posts/{post_id}").json()
            if post["status"] in {"published", "failed"}:
                return post
            assert time.monotonic() < deadline, post
            time.sleep(0.02)
