"""A report tells one post's story, and anyone can check the page against its proofs."""

import base64
import re
from datetime import timedelta, timezone
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any, LiteralString
from uuid import UUID, uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from domain.errors import PostNotFound
from domain.event_store.publishing import Publishing
from domain.keys import variant_key
from domain.recipes import RECIPES
from projections.audit.report import Report, gather_report
from projections.audit.report_check import (
    WrongReport,
    check_report,
    is_report,
    origin_of,
)
from projections.audit.report_page import Page, page_of, render_page
from projections.log_tree.evidence import WrongEvidence
from projections.log_tree.notes import Signer
from tests.histories import confirm_upload, create_post, delete_post, record_variant
from tests.projections.log_tree.sealed_log import SIGNER, Connections, sealed, tamper, write_posts

pytestmark = pytest.mark.anyio

BERLIN = timezone(timedelta(hours=1))
PICTURE = b"\xff\xd8 a small picture \xff\xd9"
EVIL = '</pre><script>alert("1")</script>\u202e&amp; <img src=x onerror=alert(1)>\n— x y'


def publish(publishing: Publishing, **changes: Any) -> UUID:
    """A published post whose variants are all the same small picture."""
    post_id, digest = uuid4(), sha256(PICTURE).hexdigest()
    publishing.execute(create_post(post_id, **changes))
    publishing.execute(confirm_upload(post_id))
    for recipe in RECIPES:
        made = record_variant(post_id, recipe.variant)
        key = variant_key(post_id, recipe.variant, sha256=digest)
        variant = replace(made.variant, sha256=digest, key=key, file_size=len(PICTURE))
        publishing.execute(replace(made, variant=variant))
    return post_id


async def reported(connections: Connections, post_id: UUID) -> Report:
    async with connections.connection() as connection:
        report = await gather_report(connection, post_id, SIGNER, made_by="cli:ann@desk")
    return replace(report, pictures=[replace(each, content=PICTURE) for each in report.pictures])


def page_bytes(report: Report) -> bytes:
    contents = [each.content for each in report.pictures if each.content is not None]
    return render_page(page_of(report, BERLIN), contents).encode()


class Tags(HTMLParser):
    """The tags of a page, and the addresses that they name."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = {"src", "href", "action", "srcset", "data", "poster", "background"}
        self.addresses += [value or "" for name, value in attrs if name in names]


async def test_a_report_tells_the_story_and_is_checked_offline(
    publishing: Publishing, connections: Connections
) -> None:
    write_posts(publishing, 2)
    post_id = publish(publishing)
    write_posts(publishing, 1)
    await sealed(connections, SIGNER)
    report = await reported(connections, post_id)
    content = page_bytes(report)
    text = content.decode()
    assert re.search(r"<h1[^>]*>Verified: 6 of 6 events match the sealed log\.</h1>", text)
    assert "announced “IMG_0001.jpg” (image/jpeg, 200,000 bytes" in text
    assert "with caption “A quiet morning” and alternative text “Fog over a lake”" in text
    assert "The system&#39;s transcoder published the post." in text
    assert "without the original&#39;s" in text
    assert text.count("(UTC+01:00)</time>") == 6
    assert text.count("the bytes that the log recorded") == 3
    assert is_report(content)
    assert origin_of(content) == SIGNER.name
    for verifier in (None, SIGNER.verifier()):
        said = check_report(content, verifier=verifier)
        assert said[-1] == "Verified: 6 of 6 events match the sealed log."
        assert "6 of 6 are proven" in said[1]
        assert said[2] == "pictures that are those of the events: 3"


async def test_a_report_needs_nothing_from_elsewhere_and_runs_no_script(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = publish(publishing, caption=EVIL, filename="<b>.jpg")
    await sealed(connections, SIGNER)
    content = page_bytes(await reported(connections, post_id))
    tags = Tags(content)
    assert not {"script", "iframe", "object", "link", "form", "b", "a"} & set(tags.tags)
    assert tags.tags.count("img") == 3
    assert all(address.startswith("data:image/jpeg;base64,") for address in tags.addresses)
    assert "\u202e" not in content.decode()
    assert "\\u202e" in content.decode()
    assert "default-src 'none'" in content.decode()
    assert check_report(content)


async def test_a_report_of_a_deleted_post_shows_no_pictures(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = publish(publishing)
    publishing.execute(delete_post(post_id))
    await sealed(connections, SIGNER)
    content = page_bytes(await reported(connections, post_id))
    assert "img" not in Tags(content).tags
    assert "which was deleted" in content.decode()
    assert "deleted the post." in content.decode()
    assert check_report(content)[-1].startswith("Verified: 7 of 7 events")


async def test_a_report_says_what_is_not_sealed_yet(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    content = page_bytes(await reported(connections, post_id))
    assert "Not sealed yet: 0 of 1 events are proven." in content.decode()
    assert check_report(content)
    await sealed(connections, SIGNER)
    publishing.execute(confirm_upload(post_id))
    said = check_report(page_bytes(await reported(connections, post_id)))
    assert said[-1] == "Verified: 1 of 2 events match the sealed log, 1 not sealed yet."
    with pytest.raises(PostNotFound):
        await reported(connections, uuid4())


FORGERIES: tuple[LiteralString, ...] = (
    "UPDATE post_events SET topic = 'post.failed' WHERE notification_id = 1",
    "UPDATE post_events SET state = 'no JSON' WHERE notification_id = 1",
    "DELETE FROM post_events WHERE notification_id = 1",
    "UPDATE log_checkpoints SET signature = NULL",
    "UPDATE log_checkpoints SET root_hash = sha256('')",
)


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_report_on_a_forged_post_says_so_in_its_first_line(
    publishing: Publishing, connections: Connections, forgery: LiteralString
) -> None:
    post_id = publish(publishing)
    await sealed(connections, SIGNER)
    await tamper(connections, forgery)
    content = page_bytes(await reported(connections, post_id))
    first_line = re.search(r"<body>\s*<header[^>]*>\s*<h1[^>]*>([^<]*)</h1>", content.decode())
    assert first_line is not None
    assert first_line[1].startswith("FAILED: ")
    with pytest.raises(WrongReport, match="the report says of itself: FAILED"):
        check_report(content)


async def test_a_report_that_was_edited_is_refused(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = publish(publishing)
    await sealed(connections, SIGNER)
    report = await reported(connections, post_id)
    good = page_bytes(report).decode()
    other_picture = base64.b64encode(b"another").decode()
    for old, new in (
        ("quiet", "noisy"),
        ("<h2>What happened", "<p>A sentence of mine.</p><h2>What happened"),
        (base64.b64encode(PICTURE).decode(), other_picture),
        ("Matches the sealed log", "CHANGED"),
        ("<!DOCTYPE html>", "<!DOCTYPE html> "),
        ('name="nova-report" content="', 'name="nova-report" content="AAAA'),
        ('name="nova-report"', 'name="nothing"'),
    ):
        assert old in good
        with pytest.raises(WrongReport):
            check_report(good.replace(old, new, 1).encode())


async def test_a_report_that_was_made_anew_with_another_story_is_refused(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = publish(publishing)
    await sealed(connections, SIGNER)
    page = page_of(await reported(connections, post_id), BERLIN)
    pictures = [PICTURE] * 3
    first, *others = page.story
    other_story = {"sentence": "Nobody did anything."}
    stranger = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32))).verifier()
    assert check_report(render_page(page, pictures).encode())
    forged: list[Page] = [
        replace(page, story=[replace(first, **other_story), *others]),
        replace(page, story=[replace(first, local=first.local.replace("20", "19")), *others]),
        replace(page, story=[replace(first, recorded_at="2020-01-01T00:00:00Z"), *others]),
        replace(page, story=others),
        replace(page, story=[*page.story, first]),
        replace(page, story=[*others, first]),
        replace(page, story=[replace(first, verdict="unsealed"), *others]),
        replace(page, proofs=page.proofs[1:]),
        replace(page, headline="Verified: all is well."),
        replace(page, post_id=str(uuid4())),
        replace(page, removed=[*page.removed, "gps, and more"]),
        replace(page, removed=[]),
        replace(page, checkpoint=page.checkpoint.replace("6", "7", 1)),
        replace(page, proofs=[page.checkpoint]),
    ]
    for number, each in enumerate(forged):
        with pytest.raises(WrongReport):
            pytest.fail(f"forgery {number}: {check_report(render_page(each, pictures).encode())}")
    with pytest.raises(WrongReport, match="a picture is not one"):
        check_report(render_page(page, [PICTURE, PICTURE, b"another"]).encode())
    with pytest.raises(WrongEvidence):
        check_report(render_page(replace(page, key=str(stranger)), pictures).encode())
    with pytest.raises(WrongEvidence):
        check_report(render_page(page, pictures).encode(), verifier=stranger)


async def test_who_read_the_history_is_in_the_report(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = publish(publishing)
    await sealed(connections, SIGNER)
    async with connections.connection() as connection:
        for question, filters in (
            ("nova audit post", {"post_id": str(post_id)}),
            (f"/api/v1/posts/{post_id}/events", {}),
            ("/api/v1/audit/events", {"type": "post.failed"}),
            ("nova audit post", {"post_id": str(uuid4())}),
        ):
            await connection.execute(
                "INSERT INTO audit_accesses (actor, role, question, filters, correlation_id) "
                "VALUES ('user:<i>', 'auditor', %s, %s, %s)",
                [question, msgspec.json.encode(filters).decode(), uuid4()],
            )
    page = page_of(await reported(connections, post_id), BERLIN)
    assert [access.question for access in page.accesses] == [
        "nova audit post",
        f"/api/v1/posts/{post_id}/events",
    ]
    assert "user:&lt;i&gt;" in render_page(page, [PICTURE] * 3)
