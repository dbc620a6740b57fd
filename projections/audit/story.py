"""The story of a post: each stored event as a sentence.

Events are read as stored, so that one that was forged still gets a sentence.
"""

import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from projections.audit.events import AuditedEvent

MAX_QUOTED: Final = 3000
METADATA: Final = {
    "comment": "comments",
    "exif": "EXIF",
    "gps": "GPS position",
    "icc": "colour profile",
    "iptc": "IPTC",
    "thumbnail": "embedded thumbnail",
    "xmp": "XMP",
}
_REASONS: Final = {
    "owner": "deleted the post",
    "upload_abandoned": "deleted the post before its photo was uploaded",
    "upload_expired": "deleted the post, because its photo was not uploaded in time",
}
_ACTORS: Final = {
    "user:": "User ",
    "cli:": "On the command line, ",
    "system:": "The system's ",
}
# Direction marks could make a sentence read differently than it is.
_DIRECTION: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def sentence(event: AuditedEvent) -> str:
    """What happened, and who caused it. Text of users is quoted, its control characters escaped."""
    tell = _SENTENCES.get(event.type, _unknown)
    return f"{_who(event.actor)} {tell(event.data, event.type)}."


def local_time(recorded_at: str | None, zone: tzinfo | None = None) -> str:
    """A stored time on the clock of `zone`, or of this machine, with its offset from UTC."""
    try:
        at = datetime.fromisoformat(recorded_at or "").astimezone(zone)
    except ValueError:
        return "at an unreadable time"
    offset = at.utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    shown = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return f"{at:%A} {at.day} {at:%B %Y, %H:%M:%S} (UTC{shown})"


def _who(actor: str | None) -> str:
    for prefix, words in _ACTORS.items():
        if actor is not None and actor.startswith(prefix):
            return words + _plain(actor.removeprefix(prefix))
    return _plain(actor) if actor else "Somebody who is not named"


def _created(data: Mapping[str, Any], _: str) -> str:
    photo = f"{_plain(data.get('content_type'))}, {_bytes(data)}"
    texts = [
        f"{name} {_quoted(data[field])}"
        for field, name in (("caption", "caption"), ("alt", "alternative text"))
        if data.get(field) is not None
    ]
    with_texts = f" with {' and '.join(texts)}" if texts else ""
    return f"announced {_quoted(data.get('filename'))} ({photo}){with_texts}"


def _captioned(data: Mapping[str, Any], _: str) -> str:
    caption, alt = (
        "none" if data.get(field) is None else _quoted(data[field]) for field in ("caption", "alt")
    )
    return f"set the caption to {caption} and the alternative text to {alt}"


def _uploaded(data: Mapping[str, Any], _: str) -> str:
    return f"completed the upload ({_bytes(data)})"


def _variant_ready(data: Mapping[str, Any], _: str) -> str:
    return f"made a variant: {_variant(data.get('variant', data))}"


def _published(_data: Mapping[str, Any], _: str) -> str:
    return "published the post"


def _failed(data: Mapping[str, Any], _: str) -> str:
    return (
        f"gave up: {_quoted(data.get('message'))} (code {_plain(data.get('code'))}, "
        f"attempt {_plain(data.get('attempt'))})"
    )


def _retried(_data: Mapping[str, Any], _: str) -> str:
    return "retried the failed post"


def _reprocessed(data: Mapping[str, Any], _: str) -> str:
    variants = data.get("variants")
    made = "; ".join(map(_variant, variants)) if isinstance(variants, list) else "?"
    return f"replaced all variants: {made}"


def _not_reprocessed(data: Mapping[str, Any], _: str) -> str:
    recipe = _plain(data.get("recipe_version"))
    return f"could not make the variants of recipe {recipe}: {_quoted(data.get('message'))}"


def _deleted(data: Mapping[str, Any], _: str) -> str:
    reason = data.get("reason")
    return _REASONS.get(str(reason), f"deleted the post, for the reason {_quoted(reason)}")


def _unknown(data: Mapping[str, Any], topic: str) -> str:
    what = "in bytes that cannot be read" if "unreadable_state" in data else "of another kind"
    return f"caused an event {what}, {_quoted(topic)}"


_SENTENCES: Final[dict[str, Callable[[Mapping[str, Any], str], str]]] = {
    "post.created": _created,
    "post.captioned": _captioned,
    "post.uploaded": _uploaded,
    "post.variant_ready": _variant_ready,
    "post.published": _published,
    "post.failed": _failed,
    "post.retried": _retried,
    "post.reprocessed": _reprocessed,
    "post.not_reprocessed": _not_reprocessed,
    "post.deleted": _deleted,
}


def _variant(variant: object) -> str:
    if not isinstance(variant, dict):
        return "?"
    removed = variant.get("removed_metadata")
    known = removed if isinstance(removed, list) else []
    kinds = [METADATA.get(str(kind), _plain(kind)) for kind in known]
    without = f", without the original's {', '.join(kinds)}" if kinds else ""
    size = f"{_plain(variant.get('width'))} × {_plain(variant.get('height'))} pixels"
    return f"{_plain(variant.get('name'))}, {size} ({_bytes(variant)}){without}"


def _bytes(facts: Mapping[str, Any]) -> str:
    size = facts.get("file_size")
    shown = f"{size:,}" if isinstance(size, int) else _plain(size)
    return f"{shown} bytes, SHA-256 {_plain(facts.get('sha256'))}"


def _quoted(value: object) -> str:
    return f"“{_plain(value)}”"


def _plain(value: object) -> str:
    text = "?" if value is None else str(value)
    cut = text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…"
    return "".join(map(_visible, cut))


def _visible(character: str) -> str:
    if character in _DIRECTION or unicodedata.category(character) in {"Cc", "Cs"}:
        return f"\\u{ord(character):04x}"
    return character
