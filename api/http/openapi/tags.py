"""Tags of the document: the groups of operations, in reading order."""

from typing import Final

from litestar.openapi.spec import Tag

UPLOADS: Final = Tag(
    name="Uploads",
    description="Announce a photo, PUT it to the presigned URL, complete the upload.",
)
POSTS: Final = Tag(name="Posts", description="Read, list, edit, retry and delete posts.")
AUDIT: Final = Tag(
    name="Audit",
    description="Owners read the history of their own posts. Auditors and operators read "
    "everything, and each of their queries is recorded.",
)
SERVICE: Final = Tag(
    name="Service", description="What the service accepts, and how it is doing. Needs no token."
)
TAGS: Final = [UPLOADS, POSTS, AUDIT, SERVICE]
