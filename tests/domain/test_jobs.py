"""Jobs: which events leave work to be done."""

from uuid import uuid4

from domain.jobs import jobs_after
from tests.histories import (
    after,
    confirm_upload,
    create_post,
    delete_post,
    expire_upload,
    publishing_commands,
)

POST_ID = uuid4()


def test_an_upload_leaves_exactly_one_transcode_job_which_knows_its_cause() -> None:
    _, events = after(create_post(POST_ID), confirm_upload(POST_ID))
    (job,) = [job for event in events for job in jobs_after(event)]
    assert (job.queue_name, job.task_name) == ("transcode", "post.transcode")
    assert job.args["post_id"] == str(POST_ID)
    assert job.args["causation_id"] == str(events[1].event_id)
    assert job.args["correlation_id"] == str(events[1].correlation_id)


def test_an_expired_upload_leaves_the_removal_of_its_object() -> None:
    _, events = after(create_post(POST_ID), expire_upload(POST_ID))
    (job,) = jobs_after(events[-1])
    assert job.task_name == "post.remove_original"


def test_nothing_else_leaves_work() -> None:
    _, published = after(*publishing_commands(POST_ID))
    _, deleted = after(create_post(POST_ID), delete_post(POST_ID))
    quiet = [event for event in [*published, *deleted] if not jobs_after(event)]
    assert len(quiet) == len(published) + len(deleted) - 1
