"""Upcasting: stored events of older shapes become today's when they are read.

What is stored never changes. Each step takes the fields of one event from one schema version to
the next; several follow each other until the version is today's.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

Fields: TypeAlias = dict[str, Any]


def upcast(fields: Fields) -> bool:
    """Bring the fields of one stored event up to date, in place; False if they were."""
    changed = False
    while step := _STEPS.get((fields.get("type"), fields.get("schema_version"))):
        step(fields)
        fields["schema_version"] += 1
        changed = True
    return changed


def _variant_ready_2(fields: Fields) -> None:
    fields.update(shrunk=None, removed_metadata=None)


def _published_2(fields: Fields) -> None:
    fields.update(blurhash=None, dominant_colour=None)


def _published_3(fields: Fields) -> None:
    fields.update(stages=None)


_STEPS: Final[dict[tuple[object, object], Callable[[Fields], None]]] = {
    ("post.variant_ready", 1): _variant_ready_2,
    ("post.published", 1): _published_2,
    ("post.published", 2): _published_3,
}
