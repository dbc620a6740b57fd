"""Evidence: checkpoints and proofs are checked without a database, and forged ones are refused."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from domain.event_store.publishing import Publishing
from projections.log_tree import proofs
from projections.log_tree.evidence import (
    ProofFile,
    WrongEvidence,
    check_evidence,
    decode_evidence,
    encode_evidence,
    sign,
)
from projections.log_tree.proofs import NotProvable, export_checkpoint, export_proof
from tests.projections.log_tree.sealed_log import Connections, exported, sealed, write_posts


@pytest.mark.anyio
async def test_evidence_is_checked_without_a_database(
    publishing: Publishing, connections: Connections
) -> None:
    write_posts(publishing, 2)
    await sealed(connections)
    old = (await exported(connections)).checkpoint
    write_posts(publishing, 3)
    await sealed(connections)
    key = Ed25519PrivateKey.generate()
    for position in (1, 8, 13, 30):
        async with connections.connection() as connection:
            proof = await export_proof(connection, position, since=old)
        proof = replace(proof, checkpoint=sign(proof.checkpoint, key))
        read = decode_evidence(encode_evidence(proof))
        assert read == proof
        said = check_evidence(read, trusted=old, public_key=key.public_key())
        assert len(said) == 3
    checkpoint = await exported(connections, since=old)
    assert "unchanged" in check_evidence(checkpoint, trusted=old)[-1]


@pytest.mark.anyio
async def test_what_cannot_be_proven_is_said(
    publishing: Publishing, connections: Connections
) -> None:
    with pytest.raises(NotProvable):
        await exported(connections)
    write_posts(publishing, 1)
    await sealed(connections)
    checkpoint = (await exported(connections)).checkpoint
    write_posts(publishing, 1)
    async with connections.connection() as connection:
        for position in (8, 99):
            with pytest.raises(NotProvable):
                await export_proof(connection, position)
        with pytest.raises(NotProvable):
            await export_checkpoint(connection, since=replace(checkpoint, tree_size=7))


FORGERIES: tuple[Callable[[ProofFile], ProofFile], ...] = (
    lambda proof: replace(proof, event=replace(proof.event, state=b"{}")),
    lambda proof: replace(proof, event=replace(proof.event, position=4)),
    lambda proof: replace(proof, event=replace(proof.event, topic="post.failed")),
    lambda proof: replace(proof, event=replace(proof.event, post_id=uuid4())),
    lambda proof: replace(proof, event=replace(proof.event, version=9)),
    lambda proof: replace(proof, index=proof.index + 1),
    lambda proof: replace(proof, index=-1),
    lambda proof: replace(proof, index=99),
    lambda proof: replace(proof, path=proof.path[:-1]),
    lambda proof: replace(proof, path=["zz", *proof.path[1:]]),
    lambda proof: replace(proof, path=[*proof.path[:-1], "00" * 32]),
    lambda proof: replace(proof, checkpoint=replace(proof.checkpoint, tree_size=0)),
    lambda proof: replace(proof, checkpoint=replace(proof.checkpoint, root_hash="00" * 32)),
    lambda proof: replace(proof, checkpoint=replace(proof.checkpoint, signature=None)),
    lambda proof: replace(proof, checkpoint=replace(proof.checkpoint, position=77)),
    lambda proof: replace(proof, checkpoint=sign(proof.checkpoint, Ed25519PrivateKey.generate())),
    lambda proof: replace(proof, extends=None),
)


@pytest.mark.anyio
async def test_forged_evidence_is_refused(publishing: Publishing, connections: Connections) -> None:
    write_posts(publishing, 1)
    await sealed(connections)
    old = (await exported(connections)).checkpoint
    write_posts(publishing, 2)
    await sealed(connections)
    key = Ed25519PrivateKey.generate()
    async with connections.connection() as connection:
        proof = await export_proof(connection, 3, since=old)
    proof = replace(proof, checkpoint=sign(proof.checkpoint, key))
    check = partial(check_evidence, trusted=old, public_key=key.public_key())
    assert check(proof)
    for number, forge in enumerate(FORGERIES):
        with pytest.raises(WrongEvidence):
            pytest.fail(f"forgery {number}: {check(forge(proof))}")
    with pytest.raises(WrongEvidence):
        check_evidence(proof, trusted=replace(old, root_hash="00" * 32))
    with pytest.raises(WrongEvidence):
        decode_evidence(b'{"kind": "shopping list"}')


@pytest.mark.anyio
async def test_a_signature_and_a_growth_proof_hold_for_their_own_checkpoints_only(
    publishing: Publishing, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "_BATCH", 4)
    write_posts(publishing, 1)
    await sealed(connections)
    old = (await exported(connections)).checkpoint
    write_posts(publishing, 2)
    await sealed(connections)
    key = Ed25519PrivateKey.generate()
    grown = await exported(connections, since=old)
    growth = grown.extends
    assert growth is not None
    grown = replace(grown, checkpoint=sign(grown.checkpoint, key))
    check = partial(check_evidence, public_key=key.public_key())
    assert "unchanged" in check(grown, trusted=old)[-1]
    wrong = "00" * 32
    with pytest.raises(WrongEvidence):
        check(replace(grown, checkpoint=replace(grown.checkpoint, root_hash=wrong)))
    unsigned = replace(grown, checkpoint=replace(grown.checkpoint, root_hash=wrong, signature=None))
    with pytest.raises(WrongEvidence):
        check_evidence(unsigned, trusted=old)
    other_start = replace(grown, extends=replace(growth, old_size=old.tree_size - 1))
    with pytest.raises(WrongEvidence, match="--since"):
        check(other_start, trusted=old)
