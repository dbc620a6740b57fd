"""Lifecycles: every history that decisions lead to is legal, and every other one is named."""

from uuid import uuid4

import pytest
from msgspec.structs import replace

from domain.commands import Command
from domain.events import Event, PostReprocessed
from domain.lifecycle import IllegalTransition, replay
from domain.post import Post
from domain.recipes import MEDIUM, RECIPE_SETS, THUMBNAIL
from tests.histories import (
    LATER_RECIPE_VERSION,
    RECIPE_VERSION,
    RECIPES,
    after,
    confirm_upload,
    create_post,
    delete_post,
    expire_upload,
    fail_post,
    fail_reprocessing,
    publishing_commands,
    record_variant,
    reprocess_post,
    retry_post,
)

ID = uuid4()
FAILED = [create_post(ID), confirm_upload(ID), record_variant(ID, "medium"), fail_post(ID)]
PUBLISHED = publishing_commands(ID)


@pytest.mark.parametrize(
    "commands",
    [
        PUBLISHED,
        [*PUBLISHED, fail_reprocessing(ID), reprocess_post(ID), delete_post(ID)],
        [*FAILED, retry_post(ID), *(record_variant(ID, recipe.variant) for recipe in RECIPES)],
        [*FAILED, delete_post(ID)],
        [create_post(ID), expire_upload(ID)],
        [create_post(ID), confirm_upload(ID), delete_post(ID)],
    ],
)
def test_what_is_decided_is_legal(commands: list[Command]) -> None:
    post, events = after(*commands)
    assert replay(events) == post


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
def test_an_illegal_transition_is_reported(order: tuple[int, ...], version: int, why: str) -> None:
    transition = replay(reordered(*order))
    assert isinstance(transition, IllegalTransition)
    assert (transition.post_id, transition.version, transition.reason) == (ID, version, why)


def test_a_gap_in_the_versions_is_named() -> None:
    events = after(*PUBLISHED)[1]
    del events[1]
    transition = replay(events)
    assert isinstance(transition, IllegalTransition)
    assert (transition.version, transition.reason) == (3, "version 2 is missing")


def variants_ready(*names: str, recipe_version: int) -> list[Event]:
    """The history of an uploaded post with these variants."""
    commands = [record_variant(ID, name, recipe_version=recipe_version) for name in names]
    return after(create_post(ID), confirm_upload(ID), *commands)[1]


def published_after(events: list[Event]) -> list[Event]:
    """The same history, published right after it."""
    published = after(*PUBLISHED)[1][-1]
    return [*events, replace(published, version=len(events) + 1)]


def test_a_post_is_judged_by_the_recipe_version_of_its_variants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RECIPE_SETS, 998, (MEDIUM,))
    monkeypatch.setitem(RECIPE_SETS, 999, (THUMBNAIL, MEDIUM))
    assert isinstance(replay(variants_ready("medium", recipe_version=998)), Post)
    lacking = published_after(variants_ready("medium", recipe_version=999))
    found = replay(lacking)
    assert isinstance(found, IllegalTransition)
    assert found.reason == "not all variants were ready"


def test_a_variant_that_its_recipe_version_does_not_have_is_reported() -> None:
    found = replay(variants_ready("panorama", recipe_version=RECIPE_VERSION))
    assert isinstance(found, IllegalTransition)
    assert found.reason == f"recipe version {RECIPE_VERSION} has no panorama variant"


def test_a_newer_recipe_version_than_this_code_knows_is_not_judged() -> None:
    history = published_after(variants_ready("panorama", recipe_version=LATER_RECIPE_VERSION))
    assert isinstance(replay(history), Post)
    replaced = after(*PUBLISHED, reprocess_post(ID, recipe_version=LATER_RECIPE_VERSION))[1]
    assert isinstance(replay(replaced), Post)


def test_a_reprocessed_post_needs_the_whole_set_of_its_recipe_version() -> None:
    events = after(*PUBLISHED, reprocess_post(ID))[1]
    assert isinstance(events[-1], PostReprocessed)
    variants = tuple(
        replace(variant, recipe_version=RECIPE_VERSION) for variant in events[-1].variants[:2]
    )
    events[-1] = replace(events[-1], variants=variants)
    found = replay(events)
    assert isinstance(found, IllegalTransition)
    assert found.reason == "not all variants were ready"
