"""The log's tree: RFC 6962's own vectors, and proofs that hold for their own leaves only."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.log_tree.tree import (
    Frontier,
    WrongProof,
    consistency_ranges,
    inclusion_ranges,
    root_of_inclusion,
    roots_of_consistency,
)

# From the tests of Google's certificate-transparency, which follow RFC 6962.
VECTOR_INPUTS = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
VECTOR_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def root_of(leaves: Sequence[bytes]) -> bytes:
    tree = Frontier()
    tree.extend(leaves)
    return tree.root()


def test_the_roots_are_those_of_rfc_6962() -> None:
    leaves = [sha256(b"\x00" + bytes.fromhex(text)).digest() for text in VECTOR_INPUTS]
    assert Frontier().root() == sha256(b"").digest()
    assert tuple(root_of(leaves[: size + 1]).hex() for size in range(8)) == VECTOR_ROOTS


@given(st.integers(1, 70), st.data())
def test_proofs_hold_for_their_own_leaf_and_sizes_and_for_no_others(
    size: int, chosen: st.DataObject
) -> None:
    leaves = [sha256(bytes([at])).digest() for at in range(size)]
    index, old = chosen.draw(st.integers(0, size - 1)), chosen.draw(st.integers(1, size))
    root, old_root = root_of(leaves), root_of(leaves[:old])
    path = [
        root_of(leaves[part.start : part.stop]) for part in inclusion_ranges(index, range(size))
    ]
    assert root_of_inclusion(leaves[index], index, range(size), path) == root
    assert root_of_inclusion(bytes(32), index, range(size), path) != root
    with pytest.raises(WrongProof):
        root_of_inclusion(leaves[index], index, range(size), [*path, root])
    grown = [
        root_of(leaves[part.start : part.stop]) for part in consistency_ranges(old, range(size))
    ]
    assert roots_of_consistency(old, range(size), grown, old_root=old_root) == (old_root, root)
    if old < size:
        forged = roots_of_consistency(old, range(size), grown, old_root=bytes(32))
        assert forged != (bytes(32), root)
        with pytest.raises(WrongProof):
            roots_of_consistency(old, range(size), grown[1:], old_root=old_root)


def test_a_tree_grows_on_from_its_frontier() -> None:
    leaves = [bytes([at]) * 32 for at in range(23)]
    for size in range(23):
        begun = Frontier()
        begun.extend(leaves[:size])
        resumed = Frontier(size, bytes(begun))
        resumed.extend(leaves[size:])
        assert resumed.root() == root_of(leaves)


@pytest.mark.parametrize("old_size", [-1, 0, 9])
@pytest.mark.parametrize("length", range(6))
def test_a_proof_from_a_tree_that_is_no_older_one_is_refused(old_size: int, length: int) -> None:
    path = [bytes(32)] * length
    for old_root in (None, bytes(32)):
        with pytest.raises(WrongProof):
            roots_of_consistency(old_size, range(8), path, old_root=old_root)


def test_a_proof_for_a_leaf_that_the_tree_lacks_is_refused() -> None:
    for index in (-1, 8):
        for length in range(6):
            with pytest.raises(WrongProof):
                root_of_inclusion(bytes(32), index, range(8), [bytes(32)] * length)
