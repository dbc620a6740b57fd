"""Readiness of workers and projectors: 503 with a reason while they cannot do their work."""

from collections.abc import Iterator
from threading import Thread
from wsgiref.simple_server import WSGIServer

import httpx
import pytest
from anyio import to_thread
from prometheus_client import start_http_server

from api.cli.readiness import Readiness
from api.telemetry import start_telemetry
from domain.settings import TelemetrySettings
from tests.read_only import read_only

UNREACHABLE = "postgresql://nova@127.0.0.1:9/nova?connect_timeout=2"


@pytest.mark.anyio
async def test_a_process_is_ready_while_the_database_takes_writes(
    postgres_server: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.cli.readiness.FRESH_SECONDS", 0)
    readiness = Readiness(database_url)
    assert await to_thread.run_sync(readiness) is None
    async with read_only(postgres_server, database_url):
        assert await to_thread.run_sync(readiness) == "the database is read-only"
    assert await to_thread.run_sync(readiness) is None


def test_without_a_database_it_is_not_ready() -> None:
    assert Readiness(UNREACHABLE)() == "the database does not take writes"


def test_what_the_process_itself_lacks_comes_first(database_url: str) -> None:
    lacks: list[str | None] = ["no lane runs"]
    readiness = Readiness(database_url, what_is_missing=lambda: lacks[0])
    assert readiness() == "no lane runs"
    lacks[0] = None
    assert readiness() is None


def test_a_second_of_questions_costs_one_connection(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    readiness = Readiness(database_url)
    assert readiness() is None
    monkeypatch.setattr("api.cli.readiness.FRESH_SECONDS", 0)
    readiness._url = UNREACHABLE
    assert readiness() is None


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[WSGIServer]]:
    """The servers of metrics that the test starts, which end with it."""
    started: list[tuple[WSGIServer, Thread]] = []
    servers: list[WSGIServer] = []

    def start(port: int, addr: str) -> tuple[WSGIServer, Thread]:
        started.append(start_http_server(port, addr=addr))
        servers.append(started[-1][0])
        return started[-1]

    monkeypatch.setattr("api.telemetry.start_http_server", start)
    yield servers
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


def test_ready_is_served_beside_the_metrics(servers: list[WSGIServer]) -> None:
    reasons: list[str | None] = ["no lane runs"]
    settings = TelemetrySettings(metrics_port=0)  # a free one
    start_telemetry("worker", settings, why_not_ready=lambda: reasons[0])
    url = f"http://127.0.0.1:{servers[0].server_port}"
    with httpx.Client(base_url=url, timeout=30) as http:
        answer = http.get("/ready")
        assert (answer.status_code, answer.text) == (503, "no lane runs\n")
        reasons[0] = None
        answer = http.get("/ready")
        assert (answer.status_code, answer.text) == (200, "ready\n")
        assert "python_info" in http.get("/metrics").text
