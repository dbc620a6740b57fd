"""Variants: the facts about one rendered picture, from the image process into the event."""

from typing import Literal, TypeAlias

from msgspec import Struct

from domain.recipes import VariantName

MetadataKind: TypeAlias = Literal["comment", "exif", "gps", "icc", "iptc", "thumbnail", "xmp"]


class Variant(Struct, frozen=True, kw_only=True, gc=False):
    """A rendered variant: `file_size` in bytes, `milliseconds` spent fitting and encoding it.

    `shrunk`: smaller than its recipe asks, because no quality met the byte cap. The first events
    recorded neither that nor `removed_metadata`.
    """

    name: VariantName
    content_type: Literal["image/jpeg"]
    width: int
    height: int
    file_size: int
    sha256: str
    quality: int
    milliseconds: float
    recipe_version: int
    encoder: str
    shrunk: bool | None
    removed_metadata: tuple[MetadataKind, ...] | None

    def stored_under(self, key: str) -> "StoredVariant":
        """The same variant once its object is stored."""
        facts = {name: getattr(self, name) for name in Variant.__struct_fields__}
        return StoredVariant(**facts, key=key)


class StoredVariant(Variant, frozen=True, kw_only=True, gc=False):
    """A variant in the object store."""

    key: str
