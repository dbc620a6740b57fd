"""Histories of posts, each event with the verdict of the sealed log."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import asdict
from psycopg import AsyncConnection

from domain.errors import PostNotFound
from projections.audit.events import AuditedEvent, audited, history_of
from projections.log_tree.findings import Finding
from projections.log_tree.history import Verdict, verify_history
from projections.log_tree.notes import Verifier


class VerifiedEvent(AuditedEvent, frozen=True, kw_only=True):
    """An event as stored, and how it compares with what was sealed."""

    verdict: Annotated[
        Verdict,
        Meta(
            description="`sealed`: matches the sealed log. `unsealed`: too new, not sealed yet. "
            "`changed`, `inserted`, `reordered`: by hand, after it was sealed. `unproven`: no "
            "checkpoint of the log covers it.",
            examples=["sealed"],
        ),
    ]


class PostHistory(Struct, frozen=True, kw_only=True):
    """All events of a post, and what differs from the sealed log."""

    post_id: Annotated[
        UUID,
        Meta(description="The id of the post.", examples=["0b9c5e0e-6a53-4c0f-9a7b-1f2d3c4b5a69"]),
    ]
    items: Annotated[
        list[VerifiedEvent], Meta(description="The events, in the order of their versions.")
    ]
    findings: Annotated[
        list[Finding],
        Meta(
            description="What differs from the sealed log: these events, and others that were "
            "removed. Empty in a history that was not touched."
        ),
    ]
    signed_by: Annotated[
        str | None,
        Meta(
            description="The key whose signature of the log was verified, as a C2SP verifier key; "
            "null if the service knows none.",
            examples=[
                "photos.example.com/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
            ],
        ),
    ]


async def read_verified_history(
    connection: AsyncConnection[object], post_id: UUID, verifier: Verifier | None
) -> PostHistory:
    """Read a post's events, deleted or not, and compare each with the sealed log.

    Raises:
        PostNotFound: no event was ever stored for it.
        psycopg.Error: the database failed.
    """
    # The events first: a later comparison knows a verdict for each of them.
    events = [audited(row) for row in await history_of(connection, post_id)]
    verified = await verify_history(connection, post_id, verifier)
    if not events and not verified.findings:
        raise PostNotFound(post_id)
    return PostHistory(
        post_id=post_id,
        items=[
            VerifiedEvent(**asdict(event), verdict=verified.verdicts[event.position])
            for event in events
        ],
        findings=verified.findings,
        signed_by=verified.signed_by,
    )
