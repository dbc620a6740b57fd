"""Evidence: checkpoints and proofs are checked without a database, and forged ones are refused."""

from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from domain.event_store.publishing import Publishing
from projections.log_tree import proofs
from projections.log_tree.evidence import (
    Checkpoint,
    ConsistencyProof,
    InclusionProof,
    SignedCheckpoint,
    WrongEvidence,
    check_evidence,
    decode_evidence,
    sign_checkpoint,
)
from projections.log_tree.notes import Signer
from projections.log_tree.proofs import (
    NotProvable,
    export_checkpoint,
    export_proof,
    export_proofs_of_post,
)
from projections.log_tree.tree import SealableEvent
from tests.projections.log_tree.sealed_log import (
    SIGNER,
    Connections,
    exported,
    sealed,
    write_posts,
)

VERIFIER = SIGNER.verifier()
STRANGER = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))


async def proven(connections: Connections, position: int) -> InclusionProof:
    async with connections.connection() as connection:
        return await export_proof(connection, position, SIGNER)


async def grown_since(connections: Connections, old: Checkpoint) -> ConsistencyProof:
    async with connections.connection() as connection:
        proof = await export_checkpoint(connection, SIGNER, since=old)
    assert isinstance(proof, ConsistencyProof)
    return proof


@pytest.mark.anyio
async def test_evidence_is_checked_without_a_database(
    publishing: Publishing, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "_BATCH", 4)
    first, _ = write_posts(publishing, 2)
    await sealed(connections)
    old = await exported(connections)
    write_posts(publishing, 3)
    await sealed(connections)
    for position in (1, 8, 13, 30):
        proof = await proven(connections, position)
        read = decode_evidence(str(proof).encode())
        assert read == proof
        assert len(check_evidence(read, verifier=VERIFIER)) == 2
    async with connections.connection() as connection:
        of_post = await export_proofs_of_post(connection, first, SIGNER)
    assert [proof.event.version for proof in of_post] == [1, 2, 3, 4, 5, 6]
    assert [proof.index for proof in of_post] == [0, 1, 2, 3, 4, 5]
    grown = await grown_since(connections, old)
    read = decode_evidence(str(grown).encode())
    assert read == grown
    said = check_evidence(read, trusted=old, verifier=VERIFIER)
    assert said[-1] == "the log of 30 events begins with the trusted one of 12, unchanged"
    # The same checkpoint twice needs no proof.
    assert "unchanged" in check_evidence(of_post[0], trusted=grown.signed.checkpoint)[-1]
    unchecked = check_evidence(of_post[0])[0]
    assert unchecked.startswith("the signature of photos.example/log was not checked")


@pytest.mark.anyio
async def test_what_cannot_be_proven_is_said(
    publishing: Publishing, connections: Connections
) -> None:
    with pytest.raises(NotProvable):
        await exported(connections)
    (first,) = write_posts(publishing, 1)
    await sealed(connections)
    checkpoint = await exported(connections)
    (second,) = write_posts(publishing, 1)
    async with connections.connection() as connection:
        with pytest.raises(NotProvable, match="not sealed yet"):
            await export_proof(connection, 8, SIGNER)
        with pytest.raises(NotProvable, match="no event at position 99"):
            await export_proof(connection, 99, SIGNER)
        with pytest.raises(NotProvable, match="is sealed yet"):
            await export_proofs_of_post(connection, second, SIGNER)
        with pytest.raises(NotProvable, match="there is no post"):
            await export_proofs_of_post(connection, uuid4(), SIGNER)
        assert len(await export_proofs_of_post(connection, first, SIGNER)) == 6
        for older in (replace(checkpoint, tree_size=7), replace(checkpoint, root_hash=bytes(32))):
            with pytest.raises(NotProvable):
                await export_checkpoint(connection, SIGNER, since=older)


def resigned(proof: InclusionProof, signer: Signer = SIGNER, **changed: object) -> InclusionProof:
    """The proof with another checkpoint, properly signed."""
    checkpoint = replace(proof.signed.checkpoint, **changed)
    signed = sign_checkpoint(checkpoint.tree_size, checkpoint.root_hash, signer)
    return replace(proof, signed=signed)


FORGERIES: tuple[Callable[[InclusionProof], InclusionProof], ...] = (
    lambda proof: replace(proof, event=replace(proof.event, state=b"{}")),
    lambda proof: replace(proof, event=replace(proof.event, position=4)),
    lambda proof: replace(proof, event=replace(proof.event, topic="post.failed")),
    lambda proof: replace(proof, event=replace(proof.event, post_id=uuid4())),
    lambda proof: replace(proof, event=replace(proof.event, version=9)),
    lambda proof: replace(proof, index=proof.index + 1),
    lambda proof: replace(proof, index=-1),
    lambda proof: replace(proof, index=99),
    lambda proof: replace(proof, path=proof.path[:-1]),
    lambda proof: replace(proof, path=[*proof.path, bytes(32)]),
    lambda proof: replace(proof, path=[*proof.path[:-1], bytes(32)]),
    lambda proof: resigned(proof, tree_size=0),
    lambda proof: resigned(proof, tree_size=9),
    lambda proof: resigned(proof, root_hash=bytes(32)),
    lambda proof: resigned(proof, STRANGER),
    lambda proof: resigned(proof, Signer("another.example", SIGNER.key)),
    lambda proof: replace(
        proof, signed=replace(proof.signed, note=replace(proof.signed.note, text="1\n2\n3\n"))
    ),
    lambda proof: replace(
        proof, signed=replace(proof.signed, note=replace(proof.signed.note, signatures=[]))
    ),
)


@pytest.mark.anyio
async def test_forged_evidence_is_refused(publishing: Publishing, connections: Connections) -> None:
    write_posts(publishing, 3)
    await sealed(connections)
    proof = await proven(connections, 3)
    check = partial(check_evidence, verifier=VERIFIER)
    assert check(proof)
    for number, forge in enumerate(FORGERIES):
        with pytest.raises(WrongEvidence):
            pytest.fail(f"forgery {number}: {check(forge(proof))}")


@pytest.mark.anyio
async def test_a_proof_of_growth_holds_for_its_own_checkpoints_only(
    publishing: Publishing, connections: Connections
) -> None:
    write_posts(publishing, 1)
    await sealed(connections)
    old = await exported(connections)
    write_posts(publishing, 2)
    await sealed(connections)
    grown = await grown_since(connections, old)
    check = partial(check_evidence, trusted=old, verifier=VERIFIER)
    assert "unchanged" in check(grown)[-1]
    rewritten = sign_checkpoint(18, bytes(32), SIGNER)
    with pytest.raises(WrongEvidence, match="history was rewritten"):
        check(replace(grown, signed=rewritten))
    with pytest.raises(WrongEvidence, match="history was rewritten"):
        check_evidence(grown, trusted=replace(old, root_hash=bytes(32)))
    with pytest.raises(WrongEvidence, match="history was rewritten"):
        check_evidence(rewritten, trusted=grown.signed.checkpoint)
    with pytest.raises(WrongEvidence, match="--since"):
        check(replace(grown, old_size=old.tree_size - 1))
    with pytest.raises(WrongEvidence, match="--since"):
        check(grown.signed)
    with pytest.raises(WrongEvidence, match="another log"):
        check_evidence(grown, trusted=replace(old, origin="another.example"))


TEXT = str(
    InclusionProof(
        SealableEvent(3, UUID(int=3), 3, "post.x", b"{}"),
        0,
        [bytes(32)],
        sign_checkpoint(2, bytes(32), SIGNER),
    )
)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a shopping list",
        str(SIGNER.sign("only\n2\n")),
        str(SIGNER.sign("origin\n02\n" + "A" * 43 + "=\n")),
        str(SIGNER.sign("origin\n99999999999999999999\n" + "A" * 43 + "=\n")),
        str(SIGNER.sign("origin\n2\nAAAA\n")),
        str(SIGNER.sign("origin\n2\n" + "A" * 43 + "=\n\nmore\n")),
        TEXT.replace("index 0", "index 00"),
        TEXT.replace("index 0", "index -1"),
        TEXT.replace("index ", ""),
        TEXT.replace("extra ", ""),
        TEXT.replace("extra ", "extra AA"),
        TEXT.replace("extra ", "extra AAAA\nextra "),
        TEXT.partition("index")[0],
        TEXT.replace("A=\n", "A=\nAAAA\n"),
        TEXT.replace("@v1", "@v2"),
        "old 1\nzz\n\n" + TEXT.partition("\n\n")[2],
        "old one\n\n" + TEXT.partition("\n\n")[2],
    ],
)
def test_what_is_neither_checkpoint_nor_proof_is_refused(content: str) -> None:
    with pytest.raises(WrongEvidence, match="neither a checkpoint nor a proof"):
        decode_evidence(content.encode())


def test_a_file_that_is_no_text_is_refused() -> None:
    with pytest.raises(WrongEvidence):
        decode_evidence(b"\xff\xfe")


def test_extension_lines_and_signatures_of_witnesses_are_read_over() -> None:
    note = SIGNER.sign("photos.example/log\n2\n" + "A" * 43 + "=\na line of the future\n")
    witnessed = str(note) + str(STRANGER.sign("x\n")).partition("\n\n")[2]
    read = decode_evidence(witnessed.encode())
    assert isinstance(read, SignedCheckpoint)
    assert read.checkpoint.tree_size == 2
    assert check_evidence(read, verifier=VERIFIER)
