"""The history of one post against the sealed log: what differs from what was sealed.

Each event is compared with its leaf, and each leaf with the checkpoint that covers it.
"""

from typing import Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_all, fetch_value
from projections.log_tree.coverage import find_uncovered
from projections.log_tree.findings import Finding, SealedRow, find_change
from projections.log_tree.notes import Verifier

Verdict: TypeAlias = Literal[
    "sealed", "unsealed", "changed", "removed", "inserted", "reordered", "unproven"
]

# A post's events, and the positions at which its events were sealed.
_ROWS: Final = """
WITH positions AS (
    SELECT notification_id AS position FROM post_events WHERE originator_id = %(post_id)s
    UNION SELECT position FROM log_leaves WHERE originator_id = %(post_id)s
)
SELECT position, event.originator_id AS post_id, event.originator_version AS version, event.topic,
       event.state, leaf.leaf_hash, leaf.originator_id AS sealed_post_id,
       leaf.originator_version AS sealed_version
FROM positions
LEFT JOIN post_events AS event ON event.notification_id = position
LEFT JOIN log_leaves AS leaf USING (position)
ORDER BY position
"""
_SEALED_POSITION: Final = """
SELECT greatest((SELECT max(position) FROM log_checkpoints),
                (SELECT max(position) FROM log_sealing),
                (SELECT max(position) FROM log_leaves), 0)
"""


class VerifiedHistory(Struct, frozen=True, kw_only=True):
    """The verdict at each position of a post, and what was done where one is bad.

    `signed_by`: the key that signed the checkpoints; None if signatures were not checked.
    """

    verdicts: dict[int, Verdict]
    findings: list[Finding]
    signed_by: str | None = None


async def verify_history(
    connection: AsyncConnection[object], post_id: UUID, verifier: Verifier | None = None
) -> VerifiedHistory:
    """Compare every event of a post with the sealed log; also finds those that were removed.

    With `verifier`, only checkpoints signed by that key count.

    Raises:
        psycopg.Error: the database failed.
    """
    # Read first: what is sealed after it counts as unsealed, never as inserted.
    sealed_position = int(await fetch_value(connection, _SEALED_POSITION, {}))
    verdicts: dict[int, Verdict] = {}
    findings = []
    rows = await fetch_all(connection, SealedRow, _ROWS, {"post_id": post_id})
    for row in rows:
        if _is_sealed(row):
            verdicts[row.position] = "sealed"
        elif row.leaf_hash is None and row.position > sealed_position:
            verdicts[row.position] = "unsealed"
        else:
            finding = await find_change(connection, row)
            verdicts[row.position] = finding.what
            findings.append(finding)
    fitting = [each for each, verdict in verdicts.items() if verdict == "sealed"]
    for position, reason in (await find_uncovered(connection, fitting, verifier)).items():
        verdicts[position] = "unproven"
        findings.append(_unproven(rows, position, reason))
    return VerifiedHistory(
        verdicts=verdicts, findings=findings, signed_by=str(verifier) if verifier else None
    )


def _unproven(rows: list[SealedRow], position: int, reason: str) -> Finding:
    row = next(row for row in rows if row.position == position)
    return Finding(
        what="unproven",
        position=position,
        post_id=row.post_id,
        version=row.version,
        detail=reason,
    )


def _is_sealed(row: SealedRow) -> bool:
    event = row.event()
    return event is not None and event.leaf_hash() == row.leaf_hash and row.has_sealed_name()
