"""The page of a report: one self-contained HTML file, without script or external resource.

The page holds its own content once more, packed, so that a check can render it again and compare:
a page that was edited by hand is found, whatever was edited.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct

from projections.audit.accesses import RecordedAccess
from projections.audit.events import AuditedEvent
from projections.audit.report import Report, variants_of
from projections.audit.story import METADATA, local_time, sentence
from projections.log_tree.finding_words import describe_finding
from projections.log_tree.history import Verdict

_VERDICTS: Final[dict[Verdict, str]] = {
    "sealed": "Matches the sealed log",
    "unsealed": "Not sealed yet",
    "changed": "CHANGED after it was sealed",
    "removed": "REMOVED after it was sealed",
    "inserted": "INSERTED after later events were sealed",
    "reordered": "MOVED after it was sealed",
    "unproven": "NOT PROVEN: no checkpoint of the log covers it",
}
_CLASSES: Final[dict[Verdict, str]] = {"sealed": "good", "unsealed": "soft"}


class Line(Struct, frozen=True, kw_only=True):
    """One event of the story."""

    position: int
    version: int
    recorded_at: str
    local: str
    sentence: str
    verdict: Verdict


class ShownPicture(Struct, frozen=True, kw_only=True):
    """An embedded picture; `is_same`: its bytes have the hash that an event recorded."""

    name: str
    width: int
    height: int
    is_same: bool


class ShownAccess(Struct, frozen=True, kw_only=True):
    """One access to the history; `at` in UTC."""

    at: str
    actor: str
    role: str
    question: str


class Page(Struct, frozen=True, kw_only=True):
    """All that the page says, but for the content of its pictures."""

    post_id: str
    is_deleted: bool
    made_at: str
    made_by: str
    headline: str
    problems: list[str]
    story: list[Line]
    pictures: list[ShownPicture]
    picture_notes: list[str]
    removed: list[str]
    accesses: list[ShownAccess]
    key: str
    checkpoint: str
    proofs: list[str]
    not_proven: str | None


def render_page(page: Page, contents: Sequence[bytes]) -> str:
    """The page with these pictures. The same input gives the same bytes."""
    return _TEMPLATES.get_template("report.html.jinja").render(
        page=page,
        packed=base64.b64encode(msgspec.json.encode(page)).decode(),
        contents=[base64.b64encode(content).decode() for content in contents],
    )


def headline_of(page_story: Sequence[Line], problems: Sequence[str]) -> str:
    """The first line of the page."""
    counts = Counter(line.verdict for line in page_story)
    total, sealed, unsealed = counts.total(), counts["sealed"], counts["unsealed"]
    if problems:
        return f"FAILED: {sealed} of {total} events match the sealed log."
    if not sealed:
        return f"Not sealed yet: 0 of {total} events are proven."
    later = f", {unsealed} not sealed yet" if unsealed else ""
    return f"Verified: {sealed} of {total} events match the sealed log{later}."


def line_of(event: AuditedEvent, verdict: Verdict, zone: tzinfo | None) -> Line:
    """An event as the page tells it."""
    return Line(
        position=event.position,
        version=event.version,
        recorded_at=str(event.recorded_at),
        local=local_time(event.recorded_at, zone),
        sentence=sentence(event),
        verdict=verdict,
    )


def removed_by(events: Sequence[AuditedEvent]) -> list[str]:
    """The kinds of metadata that variants do not have, as their events recorded them."""
    kinds = [variant.get("removed_metadata") for event in events for variant in variants_of(event)]
    return sorted({str(kind) for each in kinds if isinstance(each, list) for kind in each})


def page_of(report: Report, zone: tzinfo | None = None) -> Page:
    """What the page of a report says; times are those of `zone`, or of this machine."""
    history = report.history
    pictures = [
        ShownPicture(
            name=each.name,
            width=each.width,
            height=each.height,
            is_same=hashlib.sha256(each.content).hexdigest() == each.sha256,
        )
        for each in report.pictures
        if each.content is not None
    ]
    problems = [describe_finding(finding) for finding in history.findings]
    problems += [f"no proof could be made: {report.not_proven}"] if report.not_proven else []
    problems += [f"the stored picture {each.name} differs" for each in pictures if not each.is_same]
    story = [line_of(item, item.verdict, zone) for item in history.items]
    return Page(
        post_id=str(history.post_id),
        is_deleted=report.is_deleted,
        made_at=local_time(report.made_at.isoformat(), zone),
        made_by=report.made_by,
        headline=headline_of(story, problems),
        problems=problems,
        story=story,
        pictures=pictures,
        picture_notes=_picture_notes(report),
        removed=removed_by(history.items),
        accesses=[_access(each) for each in report.accesses],
        key=str(history.signed_by),
        checkpoint=str(report.proofs[0].signed) if report.proofs else "",
        proofs=[str(proof) for proof in report.proofs],
        not_proven=report.not_proven,
    )


def _access(access: RecordedAccess) -> ShownAccess:
    return ShownAccess(
        at=f"{access.recorded_at:%Y-%m-%d %H:%M:%S}",
        actor=access.actor,
        role=access.role,
        question=access.question,
    )


def _picture_notes(report: Report) -> list[str]:
    if report.is_deleted:
        return ["The post was deleted, and its pictures with it."]
    if report.no_pictures:
        return [report.no_pictures]
    missing = [picture.name for picture in report.pictures if picture.content is None]
    notes = [f"Not in the object store: {', '.join(missing)}."] if missing else []
    if not report.pictures:
        notes.append("The history records no picture that is small enough to show here.")
    return notes


def _metadata_words(kind: str) -> str:
    return METADATA.get(kind, kind)


def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("projections", "audit"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    templates.filters["verdict_words"] = _VERDICTS.__getitem__
    templates.filters["verdict_class"] = lambda verdict: _CLASSES.get(verdict, "bad")
    templates.filters["metadata_words"] = _metadata_words
    return templates


_TEMPLATES: Final = _templates()
