"""The post: what a history makes of it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from domain.post import EventBeforeCreation, fold
from tests.histories import NOON, after, confirm_upload, create_post, publishing_commands


def test_an_empty_history_is_no_post() -> None:
    assert fold([]) is None


def test_a_history_can_be_folded_from_its_events_alone() -> None:
    post_id = uuid4()
    post, events = after(create_post(post_id), confirm_upload(post_id))
    assert fold(events) == post


def test_a_history_that_does_not_begin_with_created_is_damaged() -> None:
    post_id = uuid4()
    _, events = after(create_post(post_id), confirm_upload(post_id))
    with pytest.raises(EventBeforeCreation) as damaged:
        fold(events[1:])
    assert damaged.value.event == events[1]


def test_a_post_knows_when_it_was_created_changed_and_published() -> None:
    _, events = after(*publishing_commands(uuid4()))
    at = [NOON + timedelta(minutes=minute) for minute in range(len(events))]
    post = fold(replace(event, recorded_at=time) for event, time in zip(events, at, strict=True))
    assert post is not None
    assert (post.created_at, post.updated_at, post.published_at) == (at[0], at[-1], at[-1])
    before = fold(events[:-1])
    assert before is not None
    assert before.published_at is None
