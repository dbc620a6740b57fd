"""Past posts: the order of versions decides which events belong to a time."""

from datetime import timedelta
from uuid import uuid4

from msgspec.structs import replace

from projections.queries.past_posts import events_until
from tests.histories import NOON, after, confirm_upload, create_post, origin


def test_versions_order_the_events_of_a_post_whatever_the_clocks_said() -> None:
    post_id = uuid4()
    _, events = after(
        create_post(post_id, origin=origin(at=NOON + timedelta(seconds=5))),
        confirm_upload(post_id, at=NOON),
    )
    assert events_until(events, as_of=NOON + timedelta(seconds=4), version=None) == []
    assert events_until(events, as_of=NOON + timedelta(seconds=5), version=None) == events


def test_what_follows_a_later_event_is_later_even_if_its_clock_was_behind() -> None:
    post_id = uuid4()
    _, (created, uploaded) = after(create_post(post_id), confirm_upload(post_id))
    events = [replace(created, recorded_at=NOON + timedelta(seconds=5)), uploaded]
    assert uploaded.recorded_at == NOON
    assert events_until(events, as_of=NOON + timedelta(seconds=4), version=None) == []
