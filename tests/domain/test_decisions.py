"""Decisions: given a history, when a command comes, then these events."""

import random
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from domain.commands import Command
from domain.decisions import decide
from domain.errors import (
    PermanentlyFailed,
    PostAlreadyExists,
    PostNotFailed,
    PostNotFound,
    PostNotProcessing,
    PostNotPublished,
    QueueFull,
    RetriesExhausted,
    UploadExpired,
    UserQueueFull,
    VersionConflict,
)
from domain.events import PostFailed, PostPublished, PostUploaded, VariantReady, topic_of
from domain.failures import MAX_OWNER_RETRIES, PERMANENT_CODES
from domain.lifecycle import replay
from domain.post import fold
from domain.recipes import MEDIUM, ORIGINAL, RECIPE_SETS, THUMBNAIL, variants_of
from tests.histories import (
    EXPIRY,
    LATER_RECIPE_VERSION,
    NOON,
    OWNER,
    RECIPE_VERSION,
    RECIPES,
    adopt_original,
    after,
    caption_post,
    confirm_upload,
    create_post,
    delete_post,
    expire_upload,
    fail_post,
    fail_reprocessing,
    origin,
    publishing_commands,
    record_variant,
    reprocess_post,
    retry_post,
)

POST_ID = uuid4()
CREATED = create_post(POST_ID)
UPLOADED = confirm_upload(POST_ID)
NEWER: Final = LATER_RECIPE_VERSION
NEWER_NAMES: Final = ("thumbnail", "medium", "original", "large")


@pytest.fixture
def newer_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe version with a fourth variant."""
    large = replace(ORIGINAL, variant="large", max_width=1600, max_height=1600)
    monkeypatch.setitem(RECIPE_SETS, NEWER, (THUMBNAIL, MEDIUM, large, ORIGINAL))


def test_a_whole_publication_tells_its_story_in_order() -> None:
    post, events = after(*publishing_commands(POST_ID))
    assert [topic_of(event) for event in events] == [
        "post.created",
        "post.uploaded",
        "post.variant_ready",
        "post.variant_ready",
        "post.variant_ready",
        "post.published",
    ]
    assert [event.version for event in events] == [1, 2, 3, 4, 5, 6]
    assert post.status == "published"
    assert post.published_at == NOON
    assert set(post.variants) == {"thumbnail", "medium", "original"}


def test_an_event_carries_who_caused_it_and_why() -> None:
    command = create_post(origin=replace(origin(), causation_id=uuid4()))
    (event,) = decide(None, command)
    assert event.actor == command.origin.actor
    assert event.recorded_at == command.origin.at
    assert event.correlation_id == command.origin.correlation_id
    assert event.causation_id == command.origin.causation_id
    assert event.schema_version == 2


def test_the_same_command_always_leads_to_the_same_event_ids_and_another_to_others() -> None:
    command = create_post(POST_ID)
    assert decide(None, command) == decide(None, command)
    assert decide(None, command)[0].event_id != decide(None, create_post(POST_ID))[0].event_id


def test_every_event_has_an_id_of_its_own_also_those_of_one_command() -> None:
    _, events = after(*publishing_commands(POST_ID))
    assert len({event.event_id for event in events}) == len(events)


def test_time_never_runs_backwards_within_a_post_whatever_the_clocks_say() -> None:
    post, events = after(CREATED, confirm_upload(POST_ID, at=NOON - timedelta(minutes=3)))
    assert events[-1].recorded_at == NOON
    assert post.updated_at == NOON


def test_a_post_is_created_once() -> None:
    post, _ = after(CREATED)
    with pytest.raises(PostAlreadyExists):
        decide(post, CREATED)


def test_an_adopted_original_is_a_post_in_processing_without_what_only_its_event_knew() -> None:
    adopt = adopt_original(POST_ID)
    post, events = after(adopt)
    assert [topic_of(event) for event in events] == ["post.created", "post.uploaded"]
    assert replay(events) == post
    assert {event.actor for event in events} == {"cli:operator@host"}
    assert [event.version for event in events] == [1, 2]
    assert post.upload_expires_at > post.created_at
    assert (post.status, post.user_id, post.caption, post.alt) == ("processing", OWNER, None, None)
    assert (post.image_key, post.file_size, post.sha256) == (
        adopt.image_key,
        adopt.file_size,
        adopt.sha256,
    )


@pytest.mark.parametrize(
    "history",
    [[CREATED], publishing_commands(POST_ID), [CREATED, delete_post(POST_ID)]],
    ids=["pending", "published", "deleted"],
)
def test_an_original_whose_post_is_known_is_not_adopted(history: list[Command]) -> None:
    post, _ = after(*history)
    assert decide(post, adopt_original(POST_ID)) == []


def test_confirming_an_upload_starts_the_processing() -> None:
    post, events = after(CREATED, UPLOADED)
    assert post.status == "processing"
    assert isinstance(events[-1], PostUploaded)
    assert events[-1].sha256 == CREATED.sha256


def test_confirming_an_upload_twice_changes_nothing() -> None:
    post, _ = after(CREATED, UPLOADED)
    assert decide(post, confirm_upload(POST_ID)) == []


def test_an_upload_cannot_be_confirmed_when_its_time_is_over() -> None:
    post, _ = after(CREATED)
    with pytest.raises(UploadExpired) as refused:
        decide(post, confirm_upload(POST_ID, at=EXPIRY))
    assert refused.value.expired_at == EXPIRY
    # Only a duty, which finds bytes that came in time, may be late.
    [uploaded] = decide(post, replace(confirm_upload(POST_ID, at=EXPIRY), may_be_late=True))
    assert isinstance(uploaded, PostUploaded)


def test_the_last_variant_is_recorded_together_with_published() -> None:
    post, _ = after(*publishing_commands(POST_ID)[:-1])
    ready, published = decide(post, publishing_commands(POST_ID)[-1])
    assert isinstance(ready, VariantReady)
    assert isinstance(published, PostPublished)


def test_a_variant_is_recorded_once_even_after_the_post_was_published() -> None:
    post, _ = after(*publishing_commands(POST_ID))
    assert decide(post, record_variant(POST_ID, "medium")) == []


@pytest.mark.parametrize("history", [[CREATED], [CREATED, UPLOADED, fail_post(POST_ID)]])
def test_a_variant_is_refused_unless_the_post_is_processing(history: list[object]) -> None:
    post, _ = after(*history)  # type: ignore[arg-type]
    with pytest.raises(PostNotProcessing):
        decide(post, record_variant(POST_ID, "medium"))


def test_a_failure_keeps_its_reason_for_people() -> None:
    post, events = after(CREATED, UPLOADED, fail_post(POST_ID))
    assert post.status == "failed"
    assert isinstance(events[-1], PostFailed)
    assert post.failure == events[-1]
    assert events[-1].message == "The photo is damaged."


def test_only_a_post_that_is_processing_can_fail() -> None:
    published, _ = after(*publishing_commands(POST_ID))
    failed, _ = after(CREATED, UPLOADED, fail_post(POST_ID))
    assert decide(published, fail_post(POST_ID)) == []
    assert decide(failed, fail_post(POST_ID)) == []


def test_the_owner_can_delete_the_post_in_any_status() -> None:
    for length in (1, 2, 3, 5):
        post, _ = after(*publishing_commands(POST_ID)[:length], delete_post(POST_ID))
        assert post.status == "deleted"


def test_nobody_else_can_delete_the_post_or_learn_that_it_exists() -> None:
    post, _ = after(CREATED)
    with pytest.raises(PostNotFound):
        decide(post, delete_post(POST_ID, user_id=uuid4()))


@pytest.mark.parametrize(
    "command",
    [UPLOADED, record_variant(POST_ID, "medium"), fail_post(POST_ID), delete_post(POST_ID)],
)
def test_a_deleted_or_unknown_post_takes_no_command(command: object) -> None:
    deleted, _ = after(CREATED, delete_post(POST_ID))
    for post in (deleted, None):
        with pytest.raises(PostNotFound):
            decide(post, command)  # type: ignore[arg-type]


@pytest.mark.parametrize("user_id", [OWNER, None])
def test_a_failed_photo_is_tried_again_and_keeps_the_variants_it_has(user_id: UUID | None) -> None:
    failed = (CREATED, UPLOADED, record_variant(POST_ID, "medium"), fail_post(POST_ID))
    retry = retry_post(POST_ID, user_id=user_id)
    post, _ = after(*failed, retry)
    assert (post.status, post.failure, list(post.variants)) == ("processing", None, ["medium"])
    assert decide(post, retry) == []
    others = (record_variant(POST_ID, "thumbnail"), record_variant(POST_ID, "original"))
    published, events = after(*failed, retry, *others)
    assert published.status == "published"
    assert [topic_of(event) for event in events].count("post.published") == 1


def test_an_attempt_from_before_a_retry_does_not_end_what_the_retry_has_begun() -> None:
    failed = (CREATED, UPLOADED, fail_post(POST_ID))
    late = replace(fail_post(POST_ID), retries=0)
    retried, _ = after(*failed, retry_post(POST_ID))
    assert decide(retried, late) == []
    assert decide(retried, replace(late, retries=1)) != []
    assert decide(retried, replace(late, retries=None)) != []


def test_only_its_owner_and_operators_can_have_a_photo_tried_again() -> None:
    failed, _ = after(CREATED, UPLOADED, fail_post(POST_ID))
    with pytest.raises(PostNotFound):
        decide(failed, retry_post(POST_ID, user_id=uuid4()))


@pytest.mark.parametrize("code", sorted(PERMANENT_CODES))
def test_a_failure_that_lies_in_the_photo_is_retried_by_operators_only(code: str) -> None:
    failed, _ = after(CREATED, UPLOADED, fail_post(POST_ID, code=code))
    with pytest.raises(PermanentlyFailed) as refused:
        decide(failed, retry_post(POST_ID))
    assert refused.value.code == code
    assert decide(failed, retry_post(POST_ID, user_id=None)) != []


def test_an_owner_retries_a_post_five_times_and_an_operator_without_end() -> None:
    failing = (retry_post(POST_ID), fail_post(POST_ID))
    by_operator = (retry_post(POST_ID, user_id=None), fail_post(POST_ID))
    start = (CREATED, UPLOADED, fail_post(POST_ID), *by_operator)
    fourth, _ = after(*start, *failing * (MAX_OWNER_RETRIES - 1))
    assert decide(fourth, retry_post(POST_ID)) != []
    fifth, _ = after(*start, *failing * MAX_OWNER_RETRIES)
    with pytest.raises(RetriesExhausted) as refused:
        decide(fifth, retry_post(POST_ID))
    assert refused.value.limit == MAX_OWNER_RETRIES == 5
    assert decide(fifth, retry_post(POST_ID, user_id=None)) != []
    with pytest.raises(PostNotFound):
        decide(fifth, retry_post(POST_ID, user_id=uuid4()))


def test_what_has_not_failed_is_not_tried_again() -> None:
    for length in (1, 5):
        post, _ = after(*publishing_commands(POST_ID)[:length])
        with pytest.raises(PostNotFailed) as refused:
            decide(post, retry_post(POST_ID))
        assert refused.value.status == post.status


def test_an_upload_that_never_came_is_closed_when_its_time_is_over() -> None:
    post, _ = after(CREATED, expire_upload(POST_ID))
    assert post.status == "deleted"


def test_an_upload_is_abandoned_only_while_it_is_open() -> None:
    abandon = replace(delete_post(POST_ID), only_pending=True)
    post, events = after(CREATED, abandon)
    assert (post.status, events[-1].reason) == ("deleted", "upload_abandoned")  # type: ignore[union-attr]
    uploaded, _ = after(CREATED, UPLOADED)
    assert decide(uploaded, abandon) == []


def test_the_owner_changes_one_text_and_keeps_the_other() -> None:
    post, events = after(CREATED, caption_post(POST_ID, caption="Another"))
    assert topic_of(events[-1]) == "post.captioned"
    assert (post.caption, post.alt, post.status) == ("Another", "Fog over a lake", "pending")


def test_a_text_can_be_removed_in_any_status_but_deleted() -> None:
    for commands in (publishing_commands(POST_ID)[:2], publishing_commands(POST_ID)):
        post, _ = after(*commands, caption_post(POST_ID, caption=None, alt=None))
        assert (post.caption, post.alt) == (None, None)
    gone, _ = after(CREATED, delete_post(POST_ID))
    with pytest.raises(PostNotFound):
        decide(gone, caption_post(POST_ID, alt="Another"))


def test_texts_that_are_already_so_change_nothing() -> None:
    post, _ = after(CREATED)
    assert decide(post, caption_post(POST_ID)) == []
    assert decide(post, caption_post(POST_ID, caption=post.caption, alt=post.alt)) == []


def test_the_texts_of_another_user_are_not_changed() -> None:
    post, _ = after(CREATED)
    with pytest.raises(PostNotFound):
        decide(post, caption_post(POST_ID, user_id=uuid4(), caption="Mine"))


def test_an_upload_is_not_closed_early_nor_after_it_came() -> None:
    waiting, _ = after(CREATED)
    uploaded, _ = after(CREATED, UPLOADED)
    assert decide(waiting, expire_upload(POST_ID, at=EXPIRY - timedelta(seconds=1))) == []
    assert decide(uploaded, expire_upload(POST_ID)) == []


def test_a_published_post_gets_all_its_variants_anew_at_once() -> None:
    post, events = after(*publishing_commands(POST_ID), reprocess_post(POST_ID))
    assert topic_of(events[-1]) == "post.reprocessed"
    assert (post.status, post.recipe_version) == ("published", LATER_RECIPE_VERSION)
    assert {variant.encoder for variant in post.variants.values()} == {"libvips 8.19.0"}
    assert decide(post, reprocess_post(POST_ID)) == []
    assert decide(post, fail_reprocessing(POST_ID)) == []


def test_variants_that_are_no_newer_replace_nothing() -> None:
    post, _ = after(*publishing_commands(POST_ID))
    assert decide(post, reprocess_post(POST_ID, recipe_version=RECIPE_VERSION)) == []


def test_variants_of_which_one_is_no_newer_replace_nothing() -> None:
    post, _ = after(*publishing_commands(POST_ID))
    command = reprocess_post(POST_ID)
    first, *others = command.variants
    mixed = (replace(first, recipe_version=RECIPE_VERSION), *others)
    assert decide(post, replace(command, variants=mixed)) == []


def test_a_post_that_cannot_be_made_again_stays_as_it_is() -> None:
    before, _ = after(*publishing_commands(POST_ID))
    post, events = after(*publishing_commands(POST_ID), fail_reprocessing(POST_ID))
    assert topic_of(events[-1]) == "post.not_reprocessed"
    assert (post.status, post.variants.keys()) == ("published", before.variants.keys())


def test_only_a_published_post_has_variants_to_replace() -> None:
    for length in (1, 2, 4):
        post, _ = after(*publishing_commands(POST_ID)[:length])
        assert post.recipe_version == (RECIPE_VERSION if length > 2 else 0)
        assert decide(post, fail_reprocessing(POST_ID)) == []
        with pytest.raises(PostNotPublished) as refused:
            decide(post, reprocess_post(POST_ID))
        assert refused.value.status == post.status


def test_errors_state_their_facts() -> None:
    assert QueueFull(capacity=7).capacity == 7
    assert UserQueueFull(capacity=7).capacity == 7
    assert VersionConflict(POST_ID, attempts=3).attempts == 3
    assert origin().command_id != origin().command_id


def topics_after(*commands: Command) -> list[str]:
    """What follows the upload when these variants are recorded."""
    return [topic_of(event) for event in after(CREATED, UPLOADED, *commands)[1][2:]]


@pytest.mark.usefixtures("newer_recipes")
def test_an_attempt_with_a_newer_recipe_version_publishes_when_its_own_set_is_complete() -> None:
    older = record_variant(POST_ID, "thumbnail", recipe_version=RECIPE_VERSION)
    newer = [record_variant(POST_ID, name, recipe_version=NEWER) for name in NEWER_NAMES]
    # The names of the older set are all there before the last of the newer one is.
    assert topics_after(older, *newer[:-1]) == ["post.variant_ready"] * 4
    post, _ = after(CREATED, UPLOADED, older, *newer)
    assert (post.status, post.recipe_version) == ("published", NEWER)
    assert set(post.variants) == set(NEWER_NAMES)


@pytest.mark.usefixtures("newer_recipes")
def test_an_attempt_with_an_older_recipe_version_replaces_what_a_newer_one_left() -> None:
    newer = [record_variant(POST_ID, name, recipe_version=NEWER) for name in NEWER_NAMES[:-1]]
    assert topics_after(*newer) == ["post.variant_ready"] * 3
    older = record_variant(POST_ID, "thumbnail", recipe_version=RECIPE_VERSION)
    post, events = after(CREATED, UPLOADED, *newer, older)
    assert topic_of(events[-1]) == "post.published"
    # Complete by its oldest variant, and due to be reprocessed.
    assert post.recipe_version == RECIPE_VERSION


@pytest.mark.usefixtures("newer_recipes")
@pytest.mark.parametrize("seed", range(50))
def test_attempts_of_two_recipe_versions_always_publish_once_and_complete(seed: int) -> None:
    """Whatever order their variants arrive in, and wherever one of them stops."""
    generator = random.Random(seed)  # noqa: S311 - an order, not a secret
    older = [record_variant(POST_ID, r.variant, recipe_version=RECIPE_VERSION) for r in RECIPES]
    newer = [record_variant(POST_ID, name, recipe_version=NEWER) for name in NEWER_NAMES]
    interrupted = generator.sample([*older, *newer], k=generator.randrange(8))
    whole = generator.choice([older, newer])
    post, events = after(CREATED, UPLOADED)
    for command in [*interrupted, *generator.sample(whole, k=len(whole))]:
        if post.status == "processing":
            events += decide(post, command)
            post = fold(events) or post
    assert post.status == "published"
    assert [topic_of(event) for event in events].count("post.published") == 1
    assert post.variants.keys() >= (variants_of(post.recipe_version) or set())
    assert replay(events) == post


def test_a_recipe_version_that_this_code_does_not_know_completes_nothing() -> None:
    names = [recipe.variant for recipe in RECIPES]
    commands = [record_variant(POST_ID, name, recipe_version=NEWER) for name in names]
    assert topics_after(*commands) == ["post.variant_ready"] * 3


def test_a_post_is_as_old_as_its_oldest_variant() -> None:
    older = record_variant(POST_ID, "medium", recipe_version=1)
    for commands in (
        [older, record_variant(POST_ID, "thumbnail")],
        [record_variant(POST_ID, "thumbnail"), older],
    ):
        assert after(CREATED, UPLOADED, *commands)[0].recipe_version == 1


def test_a_post_shows_the_placeholder_of_its_latest_variants() -> None:
    commands = publishing_commands(POST_ID)
    assert after(*commands[:-1])[0].blurhash is None
    post, _ = after(*commands)
    assert (post.blurhash, post.dominant_colour) == ("LBDbNM^Q0#58N1-U%1g3aK%2-p%2", "#322c2a")
    post, _ = after(*commands, reprocess_post(POST_ID))
    assert (post.blurhash, post.dominant_colour) == ("LEHV6nWB2yk8pyo0adR*.7kCMdnj", "#0a0b0c")
