"""Jobs: which events leave work to be done."""

from uuid import uuid4

import pytest

from api.http.routes.announcements import TOKEN_LIFETIME
from domain.commands import Command
from domain.events import topic_of
from domain.jobs import Lane, jobs_after, reprocess_job
from tests.histories import (
    OWNER,
    after,
    confirm_upload,
    create_post,
    delete_post,
    expire_upload,
    fail_post,
    fail_reprocessing,
    publishing_commands,
    reprocess_post,
    retry_post,
)

POST_ID = uuid4()


def test_an_upload_leaves_exactly_one_transcode_job_which_knows_its_cause() -> None:
    post, events = after(create_post(POST_ID), confirm_upload(POST_ID))
    (job,) = [job for event in events for job in jobs_after(event, post)]
    assert (job.queue_name, job.task_name) == ("transcode", "post.transcode")
    assert job.args["post_id"] == str(POST_ID)
    assert job.args["causation_id"] == str(events[1].event_id)
    assert job.args["correlation_id"] == str(events[1].correlation_id)


@pytest.mark.parametrize("ending", [expire_upload(POST_ID), delete_post(POST_ID)])
def test_an_upload_that_ended_unfinished_leaves_the_removal_of_what_may_still_come(
    ending: Command,
) -> None:
    post, events = after(create_post(POST_ID), ending)
    (job,) = jobs_after(events[-1], post)
    assert job.task_name == "post.remove_objects"
    assert job.delay_seconds > TOKEN_LIFETIME.total_seconds()


def test_a_photo_that_is_tried_again_gets_a_job_of_its_own() -> None:
    post, events = after(
        create_post(POST_ID), confirm_upload(POST_ID), fail_post(POST_ID), retry_post(POST_ID)
    )
    (job,) = jobs_after(events[-1], post)
    assert (job.task_name, job.args["causation_id"]) == ("post.transcode", str(events[-1].event_id))


@pytest.mark.parametrize(("lane", "queue"), [("live", "transcode"), ("bulk", "bulk")])
def test_each_lane_is_a_queue_and_users_take_turns_in_it(lane: Lane, queue: str) -> None:
    post, events = after(create_post(POST_ID), confirm_upload(POST_ID))
    (job,) = jobs_after(events[-1], post, lane=lane)
    assert (job.queue_name, job.args["user_id"]) == (queue, str(OWNER))


def test_a_post_that_its_owner_deletes_leaves_its_objects_to_be_removed_at_once() -> None:
    post, events = after(*publishing_commands(POST_ID), delete_post(POST_ID))
    (job,) = jobs_after(events[-1], post)
    assert (job.task_name, job.delay_seconds) == ("post.remove_objects", 0)


def test_nothing_else_leaves_work() -> None:
    post, events = after(
        *publishing_commands(POST_ID), fail_reprocessing(POST_ID), reprocess_post(POST_ID)
    )
    assert [topic_of(event) for event in events if jobs_after(event, post)] == ["post.uploaded"]


def test_reprocessing_is_bulk_work_of_its_post_and_its_run() -> None:
    run_id = uuid4()
    job = reprocess_job(POST_ID, OWNER, run_id=run_id)
    assert (job.queue_name, job.task_name) == ("bulk", "post.reprocess")
    post, events = after(create_post(POST_ID), confirm_upload(POST_ID))
    assert job.lock == jobs_after(events[1], post)[0].lock
    assert job.args == {
        "post_id": str(POST_ID),
        "user_id": str(OWNER),
        "correlation_id": str(run_id),
        "causation_id": str(run_id),
    }
