"""The history of one post shows each event that differs from what was sealed."""

from uuid import UUID

import pytest

from domain.event_store.publishing import Publishing
from projections.log_tree.history import VerifiedHistory, verify_history
from projections.log_tree.proofs import NotProvable, export_proof
from tests.projections.log_tree.sealed_log import (
    FITTING_LEAVES,
    MOVABLE,
    SIGNER,
    SPOIL,
    Connections,
    sealed,
    tamper,
    write_posts,
)


async def verified(connections: Connections, post_id: UUID) -> VerifiedHistory:
    async with connections.connection() as connection:
        return await verify_history(connection, post_id)


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
        **dict.fromkeys(range(7, 12), "sealed"),
    }
    assert (await verified(connections, third)).verdicts[13] == "inserted"
    await tamper(connections, "DELETE FROM post_events WHERE notification_id > 12")
    found = await verified(connections, third)
    assert set(found.verdicts.values()) == {"removed"}


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
