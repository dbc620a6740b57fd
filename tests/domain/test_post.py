"""The post: what a history makes of it."""

from uuid import uuid4

import pytest

from domain.post import EventBeforeCreation, fold
from tests.histories import after, confirm_upload, create_post


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
