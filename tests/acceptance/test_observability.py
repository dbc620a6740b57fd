"""Metrics, logs and traces of a running stack, and the secrets that appear in none of them."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.stack.local import LocalStack
from tests.acceptance.app import App
from tests.acceptance.collector import Collector, collecting
from tests.acceptance.stacks import run_local_stack
from tests.api.stack.running import wait_until

CAPTION = "only my friends may read this caption"
FILENAME = "holiday-in-secret.jpg"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """The collector of the stack's traces."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def stack(collector: Collector) -> Iterator[LocalStack]:
    """A stack of its own, because whole logs are read."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with run_local_stack(environ) as stack:
        yield stack


@pytest.fixture
def correlated(app: App, jpeg: bytes) -> tuple[str, UUID]:
    """A published post, and the correlation id of its `complete`."""
    opened = app.init(jpeg)
    app.put(opened, jpeg)
    correlation_id = UUID(app.complete(opened).headers["x-correlation-id"])
    app.wait_until_final(opened["post_id"])
    return opened["post_id"], correlation_id


def metrics(stack: LocalStack, process: str) -> dict[str, float]:
    """Every sample of a process, with labels as `name{one,other}`."""
    text = httpx.get(stack.metrics_urls[process]).text
    samples = [each for one in text_string_to_metric_families(text) for each in one.samples]
    return {
        f"{each.name}{{{','.join(each.labels.values())}}}" if each.labels else each.name: each.value
        for each in samples
    }


@pytest.mark.parametrize("process", ["worker", "projector"])
def test_a_running_process_is_ready(stack: LocalStack, correlated: object, process: str) -> None:
    answer = httpx.get(stack.metrics_urls[process].replace("/metrics", "/ready"))
    assert (answer.status_code, answer.text) == (200, "ready\n"), correlated


def lines(stack: LocalStack, process: str) -> list[dict[str, Any]]:
    """The log lines of a process."""
    return [json.loads(line) for line in stack.log(process).read_text().splitlines()]


@pytest.mark.usefixtures("correlated")
def test_every_process_shows_what_it_does(stack: LocalStack, app: App, jpeg: bytes) -> None:
    app.wait_until_final(app.upload(jpeg[: len(jpeg) // 2]))
    app.http.get("/api/v1/no/such/path")
    api, worker = metrics(stack, "api"), metrics(stack, "worker")
    assert api["nova_http_request_seconds_count{POST,/api/v1/posts/upload/complete,202}"] >= 2
    assert api["nova_http_request_seconds_count{GET,/api/v1/posts/{post_id},200}"] >= 2
    assert api["nova_http_request_seconds_count{GET,none,404}"] == 1
    assert api["nova_queue_jobs{transcode,waiting}"] == api["nova_queue_age_seconds{bulk}"] == 0
    assert api["nova_database_up"] == api["nova_projection_runners{posts}"] == 1
    assert api["nova_db_pool_connections{reads,idle}"] >= 1
    jobs = (worker[f"nova_db_pool_connections{{jobs,{state}}}"] for state in ("idle", "busy"))
    assert sum(jobs) >= 1
    assert api["nova_db_pool_waiting{writes}"] == worker["nova_db_pool_waiting{writes}"] == 0
    assert worker["nova_posts_ended_total{,published}"] >= 1
    assert worker["nova_posts_ended_total{corrupt_image,failed}"] == 1
    assert worker["nova_post_attempts_count"] >= 2
    assert worker["nova_transcode_step_seconds_count{decode}"] >= 1
    assert worker["nova_post_stage_seconds_count{queue}"] >= 1
    wait_until(lambda: worker_job_count(stack) >= 2)
    projector = metrics(stack, "projector")
    assert projector["nova_projection_active{posts}"] == 1
    assert "nova_projection_events_total{posts}" in projector


def worker_job_count(stack: LocalStack) -> float:
    return metrics(stack, "worker")["nova_jobs_total{done,post.transcode}"]


def test_one_trace_leads_from_complete_to_published(
    collector: Collector, correlated: tuple[str, UUID]
) -> None:
    post_id, correlation_id = correlated
    trace_id = correlation_id.bytes
    names = ("POST /api/v1/posts/upload/complete", "post.uploaded", "post.transcode")
    wait_until(lambda: {*names} <= collector.of_trace(trace_id).keys())
    spans = collector.of_trace(trace_id)
    complete, uploaded, attempt = (spans[name] for name in names)
    assert (complete[0], uploaded[0], attempt[0]) == ("nova-api", "nova-api", "nova-worker")
    assert complete[1].parent_span_id == b""
    assert uploaded[1].parent_span_id == complete[1].span_id
    assert attempt[1].parent_span_id == uploaded[1].span_id
    for stage in ("download", "render", "upload"):
        assert spans[stage][1].parent_span_id == attempt[1].span_id
    assert post_id in str(attempt[1].attributes)


def test_a_post_and_its_request_are_found_in_the_log_of_every_process(
    stack: LocalStack, correlated: tuple[str, UUID]
) -> None:
    post_id, correlation_id = correlated
    for process in ("api", "worker", "projector"):
        wait_until(lambda process=process: post_id in stack.log(process).read_text())  # type: ignore[misc]
        found = [line for line in lines(stack, process) if line.get("post_id") == post_id]
        assert str(correlation_id) in {line["correlation_id"] for line in found}, process


def test_requests_are_logged_unless_they_only_read_and_succeed(
    stack: LocalStack, correlated: tuple[str, UUID], app: App
) -> None:
    post_id, _ = correlated
    for _ in range(3):
        app.ask("GET", f"/posts/{post_id}")
    app.ask("GET", f"/posts/{uuid4()}")
    app.ask("DELETE", f"/posts/{post_id}")
    told = [line for line in lines(stack, "api") if line["event"] == "request"]
    assert {line["status"] for line in told if line["method"] == "GET"} == {404}
    writes = [line for line in told if line["status"] in {201, 202, 204}]
    assert {line["method"] for line in writes} == {"POST", "DELETE"}
    assert all(UUID(line["post_id"]) for line in writes)


def test_no_log_tells_what_is_private_or_lets_anybody_in(
    stack: LocalStack, app: App, jpeg: bytes
) -> None:
    secrets = {CAPTION, FILENAME, app.token, "a wrong caption", "no.such.token"}
    posts = []
    for content in (jpeg, jpeg[: len(jpeg) // 2]):
        opened = app.init(content, caption=CAPTION, filename=FILENAME)
        app.put(opened, content)
        app.put(opened, content)
        app.complete(opened)
        query = parse_qs(urlsplit(opened["presigned_url"]).query)
        secrets |= {opened["upload_token"], query["X-Amz-Signature"][0]}
        posts.append(opened["post_id"])
    for post_id in posts:
        app.wait_until_final(post_id)
        app.ask("POST", f"/posts/{post_id}/retry")
    wrong = {"caption": "a wrong caption" * 500, "upload_token": "no.such.token"}
    for path in ("init", "complete"):
        app.ask("POST", f"/posts/upload/{path}", wrong)
    app.http.get(f"/api/v1/posts/{uuid4()}", headers={"Authorization": "Bearer no.such.token"})
    time.sleep(1)
    secrets |= {stack.environ[name] for name in ("JWT_SECRET", "AWS_SECRET_ACCESS_KEY")}
    password = urlsplit(stack.environ["DATABASE_URL"]).password
    assert password
    for process in ("api", "worker", "projector", "postgres", "seaweedfs", "migrate"):
        log = stack.log(process).read_text(errors="replace")
        assert log or process == "migrate"
        told = [secret for secret in (*secrets, password) if secret in log]
        assert not told, (process, told)
        assert not re.search(r"X-Amz-Signature|Bearer [\w-]+\.", log), process
