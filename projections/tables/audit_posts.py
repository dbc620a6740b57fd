"""The table `audit_posts`: how many events of each type a post has, and its status."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

from msgspec import Struct

from domain.events import Event, PostCreated, topic_of
from domain.post import Post, Status
from projections.tables.change import Change
from projections.tables.read_table import ReadTable, insert_into

_Values: TypeAlias = dict[str, Any]


class AuditPostRow(Struct, frozen=True, kw_only=True):
    """One post: its status, and the number of its events by type."""

    post_id: UUID
    status: Status
    created: int
    captioned: int
    uploaded: int
    variant_ready: int
    published: int
    failed: int
    retried: int
    reprocessed: int
    not_reprocessed: int
    deleted: int


EVENT_COUNTS: Final = AuditPostRow.__struct_fields__[2:]
# The status after an event; after any other, it is as before.
_STATUS_AFTER: Final[dict[str, Status]] = {
    "created": "pending",
    "uploaded": "processing",
    "retried": "processing",
    "published": "published",
    "failed": "failed",
    "deleted": "deleted",
}
_INSERT: Final = insert_into("audit_posts", AuditPostRow)
_ADD: Final = """
UPDATE audit_posts AS post
SET status = coalesce(change.status, post.status),
    created = post.created + change.created,
    captioned = post.captioned + change.captioned,
    uploaded = post.uploaded + change.uploaded,
    variant_ready = post.variant_ready + change.variant_ready,
    published = post.published + change.published,
    failed = post.failed + change.failed,
    retried = post.retried + change.retried,
    reprocessed = post.reprocessed + change.reprocessed,
    not_reprocessed = post.not_reprocessed + change.not_reprocessed,
    deleted = post.deleted + change.deleted
FROM json_populate_recordset(NULL::audit_posts, %(rows)s::json) AS change
WHERE post.post_id = change.post_id
"""


def name_of(event: Event) -> str:
    """The column that counts events of this type, such as `variant_ready`."""
    return topic_of(event).removeprefix("post.")


def _changes(events: Sequence[Event]) -> list[Change]:
    created: dict[UUID, _Values] = {}
    changed: dict[UUID, _Values] = {}
    for event in events:
        post_id = event.post_id
        if isinstance(event, PostCreated):
            created[post_id] = _nothing(post_id)
        row = created.get(post_id) or changed.setdefault(post_id, _nothing(post_id))
        name = name_of(event)
        row[name] += 1
        row["status"] = _STATUS_AFTER.get(name, row["status"])
    return [Change(_INSERT, list(created.values())), Change(_ADD, list(changed.values()))]


def _nothing(post_id: UUID) -> _Values:
    return {"post_id": post_id, "status": None, **dict.fromkeys(EVENT_COUNTS, 0)}


def _expected(post: Post, events: Sequence[Event]) -> list[AuditPostRow]:
    counts = Counter(name_of(event) for event in events)
    return [
        AuditPostRow(
            post_id=post.id, status=post.status, **{name: counts[name] for name in EVENT_COUNTS}
        )
    ]


TABLE: Final = ReadTable(
    name="audit_posts", row=AuditPostRow, key=("post_id",), changes=_changes, expected=_expected
)
