"""The history of one post shows each event that differs from what was sealed."""

from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.event_store.publishing import Publishing
from projections.log_tree.history import VerifiedHistory, verify_history
from projections.log_tree.notes import Signer, Verifier
from projections.log_tree.proofs import NotProvable, export_proof
from tests.projections.log_tree.sealed_log import (
    FITTING_LEAVES,
    MOVABLE,
    RESEAL,
    SIGNER,
    SPOIL,
    Connections,
    sealed,
    tamper,
    write_posts,
)

VERIFIER = SIGNER.verifier()


async def verified(
    connections: Connections, post_id: UUID, verifier: Verifier | None = None
) -> VerifiedHistory:
    async with connections.connection() as connection:
        return await verify_history(connection, post_id, verifier)


@pytest.mark.anyio
async def test_untouched_events_are_sealed_and_newer_ones_not_yet(
    publishing: Publishing, connections: Connections
) -> None:
    [first] = write_posts(publishing, 1)
    await sealed(connections)
    [second] = write_posts(publishing, 1)
    found = await verified(connections, first)
    assert found == VerifiedHistory(verdicts=dict.fromkeys(range(1, 7), "sealed"), findings=[])
    found = await verified(connections, second)
    assert found == VerifiedHistory(verdicts=dict.fromkeys(range(7, 13), "unsealed"), findings=[])


@pytest.mark.anyio
async def test_a_changed_event_is_named_in_the_history_of_its_post_only(
    publishing: Publishing, connections: Connections
) -> None:
    first, second, _ = write_posts(publishing)
    await sealed(connections)
    await tamper(connections, SPOIL)
    found = await verified(connections, second)
    assert found.verdicts == {7: "changed", **dict.fromkeys(range(8, 13), "sealed")}
    assert [(each.what, each.version) for each in found.findings] == [("changed", 1)]
    assert not (await verified(connections, first)).findings


@pytest.mark.anyio
async def test_removed_inserted_and_moved_events_are_named(
    publishing: Publishing, connections: Connections
) -> None:
    first, second, third = write_posts(publishing)
    await sealed(connections)
    await tamper(
        connections,
        MOVABLE,
        "DELETE FROM post_events WHERE notification_id = 6",
        "UPDATE post_events SET notification_id = 6 WHERE notification_id = 12",
        "DELETE FROM log_leaves WHERE position = 13",
    )
    assert (await verified(connections, first)).verdicts[6] == "reordered"
    assert (await verified(connections, second)).verdicts == {
        6: "reordered",
        12: "reordered",
        # Without the leaf at 13, nothing leads to the checkpoint.
        **dict.fromkeys(range(7, 12), "unproven"),
    }
    assert (await verified(connections, third)).verdicts[13] == "inserted"
    await tamper(connections, "DELETE FROM post_events WHERE notification_id > 12")
    found = await verified(connections, third)
    assert set(found.verdicts.values()) == {"removed"}


@pytest.mark.anyio
async def test_leaves_that_were_rewritten_to_match_are_not_covered_by_their_checkpoint(
    publishing: Publishing, connections: Connections
) -> None:
    [first] = write_posts(publishing, 1)
    await sealed(connections)
    [second] = write_posts(publishing, 1)
    await sealed(connections)
    await tamper(connections, SPOIL, *FITTING_LEAVES)
    found = await verified(connections, second)
    assert found.verdicts == dict.fromkeys(range(7, 13), "unproven")
    assert {each.detail for each in found.findings} == {
        "the leaves do not lead to the checkpoint of 12 events"
    }
    assert not (await verified(connections, first)).findings


@pytest.mark.anyio
async def test_only_checkpoints_signed_by_the_given_key_count(
    publishing: Publishing, connections: Connections
) -> None:
    [unsigned] = write_posts(publishing, 1)
    await sealed(connections)
    [uncovered] = write_posts(publishing, 1)
    assert set((await verified(connections, unsigned, VERIFIER)).verdicts.values()) == {"unproven"}
    await sealed(connections, SIGNER)
    # The signed checkpoint covers what was sealed before it, too.
    for post_id in (unsigned, uncovered):
        found = await verified(connections, post_id, VERIFIER)
        assert set(found.verdicts.values()) == {"sealed"}
        assert found.signed_by == str(VERIFIER)
    stranger = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32))).verifier()
    other_name = Verifier("another.example", VERIFIER.key)
    for verifier in (stranger, other_name):
        found = await verified(connections, uncovered, verifier)
        assert set(found.verdicts.values()) == {"unproven"}
        assert "is not signed by" in found.findings[0].detail


@pytest.mark.anyio
async def test_a_history_that_was_resealed_without_the_key_is_not_covered(
    publishing: Publishing, connections: Connections
) -> None:
    _, second, _ = write_posts(publishing)
    await sealed(connections, SIGNER)
    await tamper(connections, SPOIL, *RESEAL)
    await sealed(connections)
    assert not (await verified(connections, second)).findings
    found = await verified(connections, second, VERIFIER)
    assert set(found.verdicts.values()) == {"unproven"}
    assert found.findings[0].detail == "no signed checkpoint covers it"
    # Nor does an old signature help a new tree.
    await tamper(
        connections, "UPDATE log_checkpoints SET signature = decode(repeat('00', 64), 'hex')"
    )
    found = await verified(connections, second, VERIFIER)
    assert set(found.verdicts.values()) == {"unproven"}


@pytest.mark.anyio
async def test_a_checkpoint_that_was_damaged_covers_nothing(
    publishing: Publishing, connections: Connections
) -> None:
    write_posts(publishing, 1)
    await sealed(connections)
    [second] = write_posts(publishing, 1)
    await sealed(connections)
    await tamper(connections, "UPDATE log_checkpoints SET frontier = '' WHERE position = 6")
    found = await verified(connections, second)
    assert set(found.verdicts.values()) == {"unproven"}
    await tamper(connections, "DELETE FROM log_checkpoints")
    found = await verified(connections, second)
    assert found.findings[0].detail == "no checkpoint covers it"


@pytest.mark.anyio
async def test_an_event_that_differs_is_not_proven_even_when_its_leaf_was_rewritten(
    publishing: Publishing, connections: Connections
) -> None:
    write_posts(publishing)
    await sealed(connections)
    await tamper(connections, SPOIL)
    async with connections.connection() as connection:
        with pytest.raises(NotProvable, match="position 7 differs from the sealed log"):
            await export_proof(connection, 7, SIGNER)
        assert (await export_proof(connection, 8, SIGNER)).event.position == 8
    await tamper(connections, *FITTING_LEAVES)
    async with connections.connection() as connection:
        with pytest.raises(NotProvable, match="differs from the sealed log"):
            await export_proof(connection, 7, SIGNER)
