"""Upcasting: converts stored events of older schema versions to the current one on read.

Stored events never change. Each step takes the fields of one event to the next schema version.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

Fields: TypeAlias = dict[str, Any]


def upcast(fields: Fields) -> bool:
    """Convert the fields of one stored event in place; False if they are current."""
    changed = False
    while step := _STEPS.get((fields.get("type"), fields.get("schema_version"))):
        step(fields)
        fields["schema_version"] += 1
        changed = True
    return changed


def _created_2(fields: Fields) -> None:
    fields.update(alt=None)


def _variant_ready_2(fields: Fields) -> None:
    fields.update(shrunk=None, removed_metadata=None)


def _variant_ready_3(fields: Fields) -> None:
    name = fields.pop("variant")
    facts = {fact: fields.pop(fact) for fact in _FACTS_OF_VARIANTS if fact in fields}
    fields["variant"] = {"name": name, **facts}


def _reprocessed_2(fields: Fields) -> None:
    for variant in fields["variants"]:
        variant["name"] = variant.pop("variant")


def _failed_2(_: Fields) -> None:
    """Since version 2 the stage may be null; older values stay."""


def _published_2(fields: Fields) -> None:
    fields.update(blurhash=None, dominant_colour=None)


def _published_3(fields: Fields) -> None:
    fields.update(stages=None)


# Of version 2, beside the name.
_FACTS_OF_VARIANTS: Final = (
    "key",
    "content_type",
    "width",
    "height",
    "file_size",
    "sha256",
    "quality",
    "milliseconds",
    "recipe_version",
    "encoder",
    "shrunk",
    "removed_metadata",
)
_STEPS: Final[dict[tuple[object, object], Callable[[Fields], None]]] = {
    ("post.created", 1): _created_2,
    ("post.variant_ready", 1): _variant_ready_2,
    ("post.variant_ready", 2): _variant_ready_3,
    ("post.reprocessed", 1): _reprocessed_2,
    ("post.failed", 1): _failed_2,
    ("post.published", 1): _published_2,
    ("post.published", 2): _published_3,
}
