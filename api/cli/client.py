"""A client of the API that publishes files like an app. The demo and the benchmarks use it."""

import hashlib
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
from msgspec import Struct

from api.http.problems.problem import Problem
from api.http.schemas.posts import PostAccepted, PostView
from api.http.schemas.uploads import UploadOpened
from domain.formats import SNIFF_BYTES, sniff

TIMEOUT_SECONDS = 30.0


class Refused(Exception):
    """The API answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title} ({problem.status}): {problem.detail or problem.errors}")
        self.problem = problem


class Photo(Struct, frozen=True, kw_only=True):
    """A file to publish, with the type that is announced for it."""

    filename: str
    content_type: str
    content: bytes


class Client:
    """One user's connection to one API; `http` has the API's address as its base URL."""

    def __init__(self, http: httpx.AsyncClient, *, token: str) -> None:
        self._http = http
        self._authorization = {"Authorization": f"Bearer {token}"}

    async def open_upload(self, photo: Photo, *, caption: str | None = None) -> UploadOpened:
        """Announce a photo.

        Raises:
            Refused: the API does not accept it.
        """
        announced = {
            "filename": photo.filename,
            "content_type": photo.content_type,
            "file_size": len(photo.content),
            "sha256": hashlib.sha256(photo.content).hexdigest(),
            "caption": caption,
        }
        answer = await self._post("/api/v1/posts/upload/init", announced)
        return msgspec.json.decode(answer.content, type=UploadOpened)

    async def send(self, upload: UploadOpened, photo: Photo) -> None:
        """PUT the bytes; 412 means that an earlier PUT succeeded.

        Raises:
            httpx.HTTPStatusError: the object store refused them.
        """
        answer = await self._http.put(
            upload.presigned_url, content=photo.content, headers=upload.upload_headers
        )
        if answer.status_code != httpx.codes.PRECONDITION_FAILED:
            answer.raise_for_status()

    async def complete(self, upload: UploadOpened) -> PostAccepted:
        """Complete the upload.

        Raises:
            Refused: the bytes are not stored, or are not the announced ones.
        """
        completion = {"post_id": str(upload.post_id), "upload_token": upload.upload_token}
        answer = await self._post("/api/v1/posts/upload/complete", completion)
        return msgspec.json.decode(answer.content, type=PostAccepted)

    async def post(self, post_id: UUID) -> PostView:
        """Read a post.

        Raises:
            Refused: there is no post that this user may see.
        """
        answer = await self._http.get(f"/api/v1/posts/{post_id}", headers=self._authorization)
        return msgspec.json.decode(_accepted(answer).content, type=PostView)

    async def download(self, url: str) -> bytes:
        """Download the bytes of a variant."""
        answer = await self._http.get(url)
        return answer.raise_for_status().content

    async def _post(self, path: str, content: dict[str, Any]) -> httpx.Response:
        return _accepted(await self._http.post(path, json=content, headers=self._authorization))


def read_photo(path: Path) -> Photo:
    """A photo from a file, with the content type of its first bytes."""
    content = path.read_bytes()
    content_type = sniff(content[:SNIFF_BYTES]) or "application/octet-stream"
    return Photo(filename=path.name, content_type=content_type, content=content)


def _accepted(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise Refused(msgspec.json.decode(answer.content, type=Problem))
    return answer
