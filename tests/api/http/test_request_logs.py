"""The log line of a request: writes and failures have one, successful reads have none."""

from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from tests.api.http.caller import Caller
from tests.api.http.uploads import announcement

pytestmark = pytest.mark.anyio


async def test_successful_reads_leave_no_line(owner: Caller) -> None:
    with capture_logs() as lines:
        assert (await owner.get("/api/v1/posts")).status_code == 200

    assert [line for line in lines if line["event"] == "request"] == []


async def test_writes_and_failed_reads_leave_a_line_with_the_correlation_id(
    owner: Caller,
) -> None:
    with capture_logs() as lines:
        written = await owner.post("/api/v1/posts/upload/init", announcement())
        missing = await owner.get(f"/api/v1/posts/{uuid4()}")

    logged = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["status"]) for line in logged] == [("POST", 201), ("GET", 404)]
    assert [line["correlation_id"] for line in logged] == [
        answer.headers["x-correlation-id"] for answer in (written, missing)
    ]
