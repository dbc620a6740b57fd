"""The report on one post: its story, the verdict of the sealed log, proofs and accesses."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from domain.keys import is_variant_key
from projections.audit.accesses import RecordedAccess, accesses_to
from projections.audit.events import AuditedEvent, history_of
from projections.audit.histories import PostHistory, read_verified_history
from projections.log_tree.evidence import InclusionProof
from projections.log_tree.notes import Signer
from projections.log_tree.proofs import NotProvable, prove_events
from projections.log_tree.tree import SealableEvent

# Of a page that people open and print; variants that are larger are named, not shown.
MAX_PICTURE_BYTES: Final = 250_000
MAX_PICTURES: Final = 4


class Picture(Struct, frozen=True, kw_only=True):
    """A variant that the history recorded; `content` is what is stored, if it can be shown."""

    name: str
    key: str
    width: int
    height: int
    sha256: str
    content: bytes | None = None


class Report(Struct, frozen=True, kw_only=True):
    """All that the page shows. `not_proven` says why a post with sealed events has no proofs."""

    history: PostHistory
    proofs: list[InclusionProof]
    not_proven: str | None
    accesses: list[RecordedAccess]
    pictures: list[Picture]
    no_pictures: str | None = None
    made_at: datetime
    made_by: str

    @property
    def is_deleted(self) -> bool:
        """Whether the post was deleted."""
        return any(item.type == "post.deleted" for item in self.history.items)


async def gather_report(
    connection: AsyncConnection[object], post_id: UUID, signer: Signer, *, made_by: str
) -> Report:
    """Everything but the content of the pictures.

    Raises:
        PostNotFound: no event was ever stored for the post.
        psycopg.Error: the database failed.
    """
    history = await read_verified_history(connection, post_id, signer.verifier())
    proofs, not_proven = await _prove(connection, history, signer)
    return Report(
        history=history,
        proofs=proofs,
        not_proven=not_proven,
        accesses=await accesses_to(connection, post_id),
        pictures=pictures_of(history),
        made_at=datetime.now(UTC),
        made_by=made_by,
    )


def pictures_of(history: PostHistory) -> list[Picture]:
    """The variants that a post has now and that are small enough to show; none once deleted."""
    found: dict[str, Picture] = {}
    for item in history.items:
        for variant in variants_of(item):
            picture = _picture(variant)
            if picture is not None:
                found[picture.name] = picture
        if item.type == "post.deleted":
            return []
    return list(found.values())[:MAX_PICTURES]


def variants_of(event: AuditedEvent) -> list[dict[str, Any]]:
    """The variants that an event recorded, as stored."""
    found: object = None
    if event.type == "post.variant_ready":
        found = [event.data.get("variant", event.data)]
    if event.type == "post.reprocessed":
        found = event.data.get("variants")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


async def _prove(
    connection: AsyncConnection[object], history: PostHistory, signer: Signer
) -> tuple[list[InclusionProof], str | None]:
    sealed = {item.position for item in history.items if item.verdict == "sealed"}
    events = [
        SealableEvent(row.position, row.post_id, row.version, row.topic, row.state)
        for row in await history_of(connection, history.post_id)
        if row.position in sealed
    ]
    if not events:
        return [], None
    try:
        return await prove_events(connection, events, signer), None
    except NotProvable as error:
        return [], str(error)


def _picture(variant: dict[str, Any]) -> Picture | None:
    """A small variant; None for a larger one, and for a forged event that names none."""
    name, key, sha256 = (str(variant.get(field)) for field in ("name", "key", "sha256"))
    width, height, size = (variant.get(field) for field in ("width", "height", "file_size"))
    if not (isinstance(width, int) and isinstance(height, int) and isinstance(size, int)):
        return None
    if size > MAX_PICTURE_BYTES or not is_variant_key(key):
        return None
    return Picture(name=name, key=key, width=width, height=height, sha256=sha256)
