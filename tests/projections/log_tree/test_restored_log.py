"""A log restored from a backup: shorter than what was exported, and right as far as it goes."""

from typing import LiteralString

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.event_store.publishing import Publishing
from projections.log_tree.evidence import Checkpoint
from projections.log_tree.finding_words import describe_finding
from projections.log_tree.findings import Finding
from projections.log_tree.notes import Signer
from tests.projections.log_tree.sealed_log import (
    RESEAL,
    SIGNER,
    Connections,
    exported,
    sealed,
    tamper,
    verified,
    write_posts,
)

pytestmark = pytest.mark.anyio

KEY = SIGNER.verifier()


async def grown(publishing: Publishing, connections: Connections, signer: Signer | None) -> None:
    """A post of six events, sealed."""
    write_posts(publishing, 1)
    await sealed(connections, signer)


async def restored(
    publishing: Publishing,
    connections: Connections,
    *,
    signer: Signer | None = SIGNER,
    unsealed: bool = False,
) -> Checkpoint:
    """A log of two sealed posts as a backup has it, and a checkpoint of what came after it."""
    await grown(publishing, connections, signer)
    await grown(publishing, connections, signer)
    if unsealed:
        write_posts(publishing, 1)
    kept = 18 if unsealed else 12
    await grown(publishing, connections, signer)
    await grown(publishing, connections, signer)
    later = await exported(connections)
    await tamper(
        connections,
        "DELETE FROM log_leaves WHERE position > 12",
        "DELETE FROM log_checkpoints WHERE position > 12",
        "UPDATE log_sealing SET tree_size = 12, position = 12",
        "DELETE FROM post_events WHERE notification_id > 18"
        if unsealed
        else "DELETE FROM post_events WHERE notification_id > 12",
    )
    assert (await verified(connections)).finding is None
    assert (await verified(connections)).position + (kept - 12) == kept
    return later


def place(finding: Finding | None) -> tuple[str, int, int | None]:
    assert finding is not None
    return finding.what, finding.position, finding.until_position


async def test_what_is_missing_begins_after_the_end_of_the_log(
    publishing: Publishing, connections: Connections
) -> None:
    later = await restored(publishing, connections)
    found = await verified(connections, later, verifier=KEY)
    assert place(found.finding) == ("removed", 13, 24)
    assert (found.events, found.position, found.checkpoints) == (12, 12, 2)
    assert found.finding is not None
    assert describe_finding(found.finding) == (
        "position 13 to 24 was removed: the log ends at position 12 with 12 events, the exported "
        "checkpoint is of 24. It matches stored checkpoints with a good signature up to position "
        "12, exported ones up to 0. Was the database restored from a backup?"
    )


async def test_events_that_no_checkpoint_covers_are_not_said_to_match(
    publishing: Publishing, connections: Connections
) -> None:
    later = await restored(publishing, connections, unsealed=True)
    found = await verified(connections, later, verifier=KEY)
    assert place(found.finding) == ("removed", 13, 30)
    assert found.finding is not None
    assert "the log ends at position 18 with 18 events" in found.finding.detail
    assert "with a good signature up to position 12" in found.finding.detail


async def test_a_single_missing_event_is_named_alone(
    publishing: Publishing, connections: Connections
) -> None:
    await grown(publishing, connections, SIGNER)
    earlier = await exported(connections)
    longer = Checkpoint(earlier.origin, 7, bytes(32))
    assert place((await verified(connections, longer, verifier=KEY)).finding) == (
        "removed",
        7,
        None,
    )


async def test_an_exported_checkpoint_of_the_whole_backup_vouches_without_a_key(
    publishing: Publishing, connections: Connections
) -> None:
    await grown(publishing, connections, None)
    first = await exported(connections)
    await grown(publishing, connections, None)
    later = await exported(connections)
    await tamper(
        connections,
        "DELETE FROM log_leaves WHERE position > 6",
        "DELETE FROM log_checkpoints WHERE position > 6",
        "UPDATE log_sealing SET tree_size = 6, position = 6",
        "DELETE FROM post_events WHERE notification_id > 6",
    )
    assert place((await verified(connections, first, later)).finding) == ("removed", 7, 12)
    assert place((await verified(connections, later)).finding) == ("removed", 1, 12)


@pytest.mark.parametrize(
    "signer",
    [None, Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))],
    ids=["none", "another"],
)
async def test_a_checkpoint_that_the_key_did_not_sign_vouches_for_nothing(
    publishing: Publishing, connections: Connections, signer: Signer | None
) -> None:
    later = await restored(publishing, connections, signer=signer)
    found = await verified(connections, later, verifier=KEY)
    assert place(found.finding) == ("removed", 1, 24)


async def test_of_a_rewritten_log_that_was_signed_anew_only_exported_checkpoints_tell(
    publishing: Publishing, connections: Connections
) -> None:
    await grown(publishing, connections, SIGNER)
    first = await exported(connections)
    await grown(publishing, connections, SIGNER)
    second = await exported(connections)
    cut: LiteralString = "DELETE FROM post_events WHERE notification_id = 7"
    await tamper(connections, cut, *RESEAL)
    await sealed(connections, SIGNER)
    found = (await verified(connections, first, second, verifier=KEY)).finding
    assert found is not None
    assert found.what == "removed"
    assert "exported ones up to 6." in found.detail
    # Who trusts no signature is told where exported checkpoints stop to match.
    assert place((await verified(connections, first, second)).finding) == ("removed", 7, 12)
