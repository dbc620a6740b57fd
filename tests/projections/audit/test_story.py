"""Every event has a sentence, also one that was forged."""

from datetime import timedelta, timezone
from typing import Any, get_args
from uuid import UUID, uuid4

import msgspec
import pytest

from projections.audit.events import AuditedEvent, Topic, audited
from projections.audit.story import local_time, sentence
from projections.log.reading import LogRow
from tests.histories import after, publishing_commands


def event(topic: str, actor: str | None = "user:1", **data: Any) -> AuditedEvent:
    return AuditedEvent(
        position=1,
        post_id=UUID("0b9c5e0e-6a53-4c0f-9a7b-1f2d3c4b5a69"),
        version=1,
        type=topic,
        recorded_at="2026-03-01T08:00:00.123456Z",
        actor=actor,
        correlation_id=None,
        causation_id=None,
        data=data,
    )


@pytest.mark.parametrize("topic", [*get_args(Topic), "post.of_the_future", ""])
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"unreadable_state": b"x"},
        {"variant": 7, "variants": 8, "reason": [], "file_size": "many", "removed_metadata": 3},
        {"variant": {"removed_metadata": 3}, "variants": [1, {}]},
    ],
)
def test_a_forged_event_has_a_sentence(topic: str, data: dict[str, Any]) -> None:
    assert sentence(event(topic, **data)).endswith(".")
    assert sentence(event(topic, actor=None, **data)).startswith("Somebody")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            event("post.captioned", caption="Hi", alt=None),
            "the caption to “Hi” and the alternative text to none",
        ),
        (
            event("post.uploaded", file_size=1000, sha256="ab"),
            "User 1 completed the upload (1,000 bytes, SHA-256 ab).",
        ),
        (
            event("post.failed", message="Damaged.", code="corrupt_image", attempt=1),
            "gave up: “Damaged.” (code corrupt_image",
        ),
        (
            event("post.deleted", "system:janitor", reason="upload_expired"),
            "The system's janitor deleted the post, because",
        ),
        (event("post.retried", "cli:root@vm"), "On the command line, root@vm retried"),
        (event("post.deleted", reason="owner"), "User 1 deleted the post."),
        (
            event(
                "post.variant_ready",
                variant={
                    "name": "medium",
                    "width": 6,
                    "height": 4,
                    "removed_metadata": ["gps", "exif"],
                },
            ),
            "a variant: medium, 6 × 4 pixels (? bytes, SHA-256 ?), without the original's GPS",
        ),
        (
            event("post.not_reprocessed", recipe_version=3, message="No."),
            "the variants of recipe 3: “No.”",
        ),
        (
            event("post.reprocessed", variants=[{"name": "a"}, {"name": "b"}]),
            "replaced all variants: a, ",
        ),
    ],
)
def test_an_event_is_told_with_its_facts(told: AuditedEvent, words: str) -> None:
    assert words in sentence(told)


def test_text_of_users_can_neither_turn_the_sentence_nor_fill_the_page() -> None:
    told = sentence(event("post.captioned", caption="a\u202eb\x07\n" + "x" * 10_000, alt="👩‍🚀"))
    assert "a\\u202eb\\u0007\\u000a" in told
    assert "👩‍🚀" in told
    assert len(told) < 4000


def test_times_are_told_on_the_clock_of_a_zone_with_its_offset() -> None:
    told = local_time("2026-03-01T23:30:00.5Z", timezone(timedelta(hours=5, minutes=45)))
    assert told == "Monday 2 March 2026, 05:15:00 (UTC+05:45)"
    assert local_time("2026-03-01T00:00:00Z", timezone(-timedelta(hours=3, minutes=30))) == (
        "Saturday 28 February 2026, 20:30:00 (UTC-03:30)"
    )
    for wrong in (None, "", "yesterday"):
        assert local_time(wrong) == "at an unreadable time"


def test_a_whole_history_is_told() -> None:
    post_id = uuid4()
    _, events = after(*publishing_commands(post_id))
    for position, each in enumerate(events, 1):
        row = LogRow(
            position=position,
            post_id=post_id,
            version=position,
            topic=str(each.__struct_config__.tag),
            state=msgspec.json.encode(each),
        )
        assert "?" not in sentence(audited(row))
