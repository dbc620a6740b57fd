"""Publish a photo with the client that openapi-python-client generates, beside this file.

Arguments: the API's URL, a token, the path of a JPEG. Prints the final status and the variants.
"""
# The client is generated when the test runs.
# pyright: reportMissingImports=false

import hashlib
import sys
import time
from pathlib import Path
from uuid import UUID

import httpx
from nova_publishing_client import AuthenticatedClient
from nova_publishing_client.api.posts import get_post
from nova_publishing_client.api.uploads import (
    complete_upload,
    init_upload,
)
from nova_publishing_client.models import (
    CompleteUpload,
    InitUpload,
    InitUploadContentType,
    PostAccepted,
    PostView,
    UploadOpened,
)

POLL_SECONDS = 0.1


def publish(client: AuthenticatedClient, photo: bytes) -> PostView:
    """Announce, send and complete a photo; the post once it is published or failed."""
    announced = InitUpload(
        filename="photo.jpg",
        content_type=InitUploadContentType.IMAGEJPEG,
        file_size=len(photo),
        sha256=hashlib.sha256(photo).hexdigest(),
    )
    opened = init_upload.sync(client=client, body=announced)
    if not isinstance(opened, UploadOpened):
        raise SystemExit(opened)
    put = httpx.put(
        opened.presigned_url, content=photo, headers=opened.upload_headers.to_dict(), timeout=30
    )
    if put.status_code != httpx.codes.PRECONDITION_FAILED:
        put.raise_for_status()
    completion = CompleteUpload(post_id=opened.post_id, upload_token=opened.upload_token)
    accepted = complete_upload.sync(client=client, body=completion)
    if not isinstance(accepted, PostAccepted):
        raise SystemExit(accepted)
    return wait_until_final(client, opened.post_id)


def wait_until_final(client: AuthenticatedClient, post_id: UUID) -> PostView:
    """Poll the post."""
    while True:
        post = get_post.sync(post_id, client=client)
        if not isinstance(post, PostView):
            raise SystemExit(post)
        if post.status in {"published", "failed"}:
            return post
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    url, token, path = sys.argv[1:]
    client = AuthenticatedClient(base_url=url, token=token, timeout=httpx.Timeout(30))
    post = publish(client, Path(path).read_bytes())
    print(post.status, *sorted(post.images.additional_properties))  # noqa: T201 - the result
