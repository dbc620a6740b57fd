"""Paths: every history that decisions lead to is legal, and every other one is named."""

from uuid import uuid4

import pytest
from msgspec.structs import replace

from domain.commands import Command
from domain.events import Event
from domain.lifecycle import Misstep, follow
from domain.recipes import RECIPES
from tests.histories import (
    after,
    confirm_upload,
    create_post,
    delete_post,
    expire_upload,
    fail_post,
    leave_variants,
    publishing_commands,
    record_variant,
    replace_variants,
    retry_post,
)

ID = uuid4()
FAILED = [create_post(ID), confirm_upload(ID), record_variant(ID, "medium"), fail_post(ID)]
PUBLISHED = publishing_commands(ID)


@pytest.mark.parametrize(
    "commands",
    [
        PUBLISHED,
        [*PUBLISHED, leave_variants(ID), replace_variants(ID), delete_post(ID)],
        [*FAILED, retry_post(ID), *(record_variant(ID, recipe.variant) for recipe in RECIPES)],
        [*FAILED, delete_post(ID)],
        [create_post(ID), expire_upload(ID)],
        [create_post(ID), confirm_upload(ID), delete_post(ID)],
    ],
)
def test_what_is_decided_is_legal(commands: list[Command]) -> None:
    post, events = after(*commands)
    assert follow(events) == post


def reordered(*order: int) -> list[Event]:
    """The events of a published post in another order, numbered as if that were right."""
    events = after(*PUBLISHED, delete_post(ID))[1]
    return [replace(events[place], version=version) for version, place in enumerate(order, start=1)]


@pytest.mark.parametrize(
    ("order", "version", "why"),
    [
        ((1, 0), 1, "the post was not there"),
        ((0, 0), 2, "the post was pending"),
        ((0, 2), 2, "the post was pending"),
        ((0, 1, 1), 3, "the post was processing"),
        ((0, 1, 2, 2), 4, "the thumbnail variant was ready before"),
        ((0, 1, 2, 3, 5), 5, "not all variants were ready"),
        ((0, 1, 2, 3, 4, 5, 2), 7, "the post was published"),
        ((0, 6, 1), 3, "the post was deleted"),
        ((0, 6, 6), 3, "the post was deleted"),
    ],
)
def test_what_cannot_have_happened_is_named(order: tuple[int, ...], version: int, why: str) -> None:
    misstep = follow(reordered(*order))
    assert isinstance(misstep, Misstep)
    assert (misstep.post_id, misstep.version, misstep.why) == (ID, version, why)


def test_a_gap_in_the_versions_is_named() -> None:
    events = after(*PUBLISHED)[1]
    del events[1]
    misstep = follow(events)
    assert isinstance(misstep, Misstep)
    assert (misstep.version, misstep.why) == (3, "version 2 is missing")
