"""The log's Merkle tree: sealing, checkpoints, proofs and verification."""
