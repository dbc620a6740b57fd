"""Variants: the same facts before and after their objects are stored."""

from uuid import uuid4

from domain.variants import StoredVariant, Variant
from tests.histories import stored_variant


def test_a_variant_stays_the_same_when_its_object_is_stored() -> None:
    stored = stored_variant(uuid4(), "medium")
    facts = {name: getattr(stored, name) for name in Variant.__struct_fields__}
    assert Variant(**facts).stored_under(stored.key) == stored
    assert isinstance(stored, StoredVariant)
