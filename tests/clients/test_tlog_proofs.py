"""Another implementation of checkpoints and inclusion proofs, Sigstore's, agrees with ours."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domain.event_store.publishing import Publishing
from projections.log_tree.evidence import InclusionProof
from projections.log_tree.proofs import prove_events
from projections.log_tree.tree import SealableEvent
from tests.projections.log_tree.sealed_log import (
    SIGNER,
    Connections,
    all_events,
    sealed,
    write_posts,
)

PROGRAM = Path(__file__).parent / "check_tlog_proof.mjs"
WITHIN_SECONDS = 60


class Sigstore:
    """Its verification, run on one proof at a time."""

    def __init__(self, folder: Path) -> None:
        self.key = folder / "public.pem"
        self.proof = folder / "event.tlog-proof"
        verifier = SIGNER.verifier()
        self.key.write_bytes(
            verifier.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        self.names = (verifier.name, verifier.key_id().hex())

    def check(self, proof: str) -> subprocess.CompletedProcess[str]:
        """What it says of a proof; exit code 1 where it refuses one."""
        self.proof.write_text(proof)
        node = shutil.which("node")
        assert node is not None
        return subprocess.run(
            [node, PROGRAM, self.proof, *self.names, self.key],
            capture_output=True,
            text=True,
            timeout=WITHIN_SECONDS,
            check=False,
        )


async def proofs_of_all(connections: Connections) -> list[InclusionProof]:
    async with connections.connection() as connection:
        events: list[SealableEvent] = await all_events(connection)
        return await prove_events(connection, events, SIGNER)


@pytest.mark.anyio
@pytest.mark.usefixtures("tools")
async def test_sigstore_accepts_each_proof_and_refuses_forged_ones(
    publishing: Publishing, connections: Connections, tmp_path: Path
) -> None:
    write_posts(publishing, 2)
    await sealed(connections)
    sigstore = Sigstore(tmp_path)
    proofs = await proofs_of_all(connections)
    assert len(proofs) == 12
    # Both ends, and places below subtrees that are not full.
    for proof in (proofs[0], proofs[3], proofs[8], proofs[11]):
        checked = sigstore.check(str(proof))
        assert checked.returncode == 0, checked.stderr
        assert checked.stdout == f"photos.example/log 12 {proof.index}\n"
    text = str(proofs[3])
    other_event = text.replace(text.split("\n")[1], str(proofs[4]).split("\n")[1])
    for forged in (
        other_event,
        text.replace("index 3", "index 2"),
        text.replace("\n12\n", "\n13\n"),
    ):
        assert sigstore.check(forged).returncode == 1
