"""Checking a report offline: its proofs, and that its story and pictures are those of the events.

WrongReport                the page is none, was edited, or says something else than its proofs
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import timedelta, timezone
from typing import Final

import msgspec

from projections.audit.events import AuditedEvent, audited
from projections.audit.report import variants_of
from projections.audit.report_page import Page, headline_of, line_of, removed_by, render_page
from projections.log.reading import LogRow
from projections.log_tree.evidence import (
    Checkpoint,
    InclusionProof,
    check_evidence,
    decode_evidence,
)
from projections.log_tree.notes import Verifier, parse_verifier

_START: Final = b"<!DOCTYPE html>"
_PACKED: Final = re.compile(r'<meta name="nova-report" content="([A-Za-z0-9+/=]*)">')
_PICTURE: Final = re.compile(r'src="data:image/jpeg;base64,([A-Za-z0-9+/=]*)"')
_OFFSET: Final = re.compile(r"\(UTC([+-])(\d\d):(\d\d)\)")


class WrongReport(Exception):
    """The page says something that its proofs do not; the message says what."""


def is_report(content: bytes) -> bool:
    """Whether a file is a page, and so to be checked as a report."""
    return content.startswith(_START)


def origin_of(content: bytes) -> str:
    """The name of the log that a report is about.

    Raises:
        WrongReport: the page is none.
        WrongNote: it holds no key.
    """
    page, _ = _unpack(content)
    return parse_verifier(page.key).name


def check_report(
    content: bytes, *, trusted: Checkpoint | None = None, verifier: Verifier | None = None
) -> list[str]:
    """What was verified, line by line. Without `verifier`, the key in the page is used.

    Raises:
        WrongReport: the page was edited, tells another story than its proofs, or says itself that
            it fails.
        WrongEvidence: a proof does not verify.
        WrongNote: it holds no key.
    """
    page, pictures = _unpack(content)
    key = verifier or parse_verifier(page.key)
    proofs = [_check_proof(text, trusted=trusted, verifier=key) for text in page.proofs]
    if any(str(proof.signed) != page.checkpoint for proof in proofs):
        raise WrongReport("its proofs lead to another checkpoint than it shows")
    events = [_event_of(proof) for proof in proofs]
    _check_story(page, events)
    if page.problems:
        raise WrongReport(f"the report says of itself: {page.headline}")
    _check_pictures(pictures, events)
    whose = "the given key" if verifier else "the key in the page, to be compared with the log's"
    return [
        f"the checkpoint is signed by {whose}: {key}",
        f"the story is that of the events: {len(events)} of {len(page.story)} are proven",
        f"pictures that are those of the events: {len(pictures)}",
        page.headline,
    ]


def _unpack(content: bytes) -> tuple[Page, list[bytes]]:
    """What the page says, if it is exactly the page that says it."""
    try:
        text = content.decode()
        packed = _PACKED.search(text)
        page = msgspec.json.decode(base64.b64decode(packed[1] if packed else ""), type=Page)
        pictures = [base64.b64decode(found) for found in _PICTURE.findall(text)]
    except ValueError as error:
        raise WrongReport(f"it is no report: {error}") from error
    if len(pictures) != len(page.pictures) or render_page(page, pictures) != text:
        raise WrongReport("it was edited, or made by another version of nova")
    return page, pictures


def _check_proof(text: str, *, trusted: Checkpoint | None, verifier: Verifier) -> InclusionProof:
    proof = decode_evidence(text.encode())
    if not isinstance(proof, InclusionProof):
        raise WrongReport("it holds something else than a proof")
    check_evidence(proof, trusted=trusted, verifier=verifier)
    return proof


def _event_of(proof: InclusionProof) -> AuditedEvent:
    event = proof.event
    return audited(
        LogRow(
            position=event.position,
            post_id=event.post_id,
            version=event.version,
            topic=event.topic,
            state=event.state,
        )
    )


def _check_story(page: Page, events: Sequence[AuditedEvent]) -> None:
    """Each proven event is told as it was, and what is told as sealed is proven."""
    told = [line for line in page.story if line.verdict == "sealed"]
    expected = [
        line_of(event, "sealed", _zone_of(line.local))
        for line, event in zip(told, events, strict=False)
    ]
    is_same = len(told) == len(events) and told == expected
    if not is_same or any(str(event.post_id) != page.post_id for event in events):
        raise WrongReport("its story is not that of the proven events")
    if any(event.type == "post.deleted" for event in events) and not page.is_deleted:
        raise WrongReport("it does not say that the post was deleted")
    if page.headline != headline_of(page.story, page.problems):
        raise WrongReport("its first line is not what its story says")
    is_whole = len(told) == len(page.story)
    removed = removed_by(events)
    if not set(removed) <= set(page.removed) or (is_whole and removed != page.removed):
        raise WrongReport("the removed metadata are not those of the proven events")


def _check_pictures(pictures: Sequence[bytes], events: Sequence[AuditedEvent]) -> None:
    recorded = {str(each.get("sha256")) for event in events for each in variants_of(event)}
    if not {hashlib.sha256(content).hexdigest() for content in pictures} <= recorded:
        raise WrongReport("a picture is not one that a proven event recorded")


def _zone_of(local: str) -> timezone | None:
    """The offset of a time as the page shows it."""
    found = _OFFSET.search(local)
    if found is None:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)
