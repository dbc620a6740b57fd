"""An API process under attack: connections, heads, bodies and unread responses are bounded."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.api.http.attacked_server import (
    CONNECTIONS,
    LIVE,
    PER_ADDRESS,
    AttackedServer,
    attacked_server,
    authorization,
    read_all,
    read_one,
    request,
    status_of,
    wait_until,
)

INIT = "/api/v1/posts/upload/init"
LARGE_PAGE = "/docs/swagger-ui/swagger-ui-bundle.js"
IDLE = 1050
MB = 1_000_000


@pytest.fixture(scope="module")
def server(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AttackedServer]:
    folder = tmp_path_factory.mktemp("attacked")
    with attacked_server(folder, postgres_server) as server:
        yield server


@pytest.fixture(autouse=True)
def enough_descriptors() -> None:
    """The attacker has more than the server."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))


@pytest.fixture(autouse=True)
def _unharmed(server: AttackedServer) -> Iterator[None]:
    """Whatever a test does, the server answers afterwards and has logged no defect."""
    yield
    assert server.status() == 200
    assert "Traceback" not in server.log()
    assert not any(
        labels.endswith(",500") for labels in server.samples("nova_http_request_seconds_count")
    )


def problem_of(answer: bytes) -> tuple[int, str]:
    """Status and slug of the only response, which closes the connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    slug: str = json.loads(body)["type"].removeprefix("/problems/")
    return status_of(answer), slug


def open_idle(server: AttackedServer, clients: ExitStack, *, addresses: int) -> None:
    for number in range(IDLE):
        source = f"127.0.1.{number % addresses + 1}"
        clients.enter_context(server.connect(source=source))


@pytest.mark.parametrize("addresses", [1, 200])
def test_idle_connections_keep_nobody_out(server: AttackedServer, addresses: int) -> None:
    with ExitStack() as clients:
        open_idle(server, clients, addresses=addresses)
        # One who is new, and one who shares the address of the attacker.
        assert server.status(source="127.0.0.9") == 200
        assert server.status(source="127.0.1.1") == 200
        limit = PER_ADDRESS if addresses == 1 else CONNECTIONS
        assert server.samples("nova_http_connections")[""] <= limit + 1


def test_an_address_takes_no_more_than_its_share(server: AttackedServer) -> None:
    with ExitStack() as clients:
        elsewhere = clients.enter_context(server.connect(source="127.0.0.9"))
        open_idle(server, clients, addresses=1)
        elsewhere.sendall(request(LIVE))
        assert status_of(read_one(elsewhere)) == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n",
        b"GET /api/v1/hea",
        b"GET / HTTP/1.1\r\nHost: api.example\r\nX-Half: ",
        request(INIT, "Content-Length: 100", method="POST", body=b"{"),
        request(INIT, "Transfer-Encoding: chunked", method="POST", body=b"10\r\n{"),
    ],
)
def test_an_incomplete_request_is_closed(server: AttackedServer, sent: bytes) -> None:
    with server.connect() as client:
        client.sendall(sent)
        answer = read_all(client)
    assert answer == b"" if not sent.strip() else problem_of(answer) == (408, "request-timeout")


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\n", request(INIT, "Content-Length: 1000", method="POST")]
)
def test_a_trickle_does_not_extend_the_deadline(server: AttackedServer, start: bytes) -> None:
    with server.connect() as client:
        client.sendall(start)
        client.settimeout(0.05)
        answer = b""
        for _ in range(400):
            client.sendall(b"x")
            try:
                answer = client.recv(1 << 16)
            except TimeoutError:
                continue
            break
    assert problem_of(answer) == (408, "request-timeout")


def test_the_next_request_of_a_connection_has_a_deadline_too(server: AttackedServer) -> None:
    with server.connect() as client:
        client.sendall(request(LIVE))
        assert status_of(read_one(client)) == 200
        client.sendall(b"GET /api")
        assert problem_of(read_all(client)) == (408, "request-timeout")


def test_a_connection_is_kept_alive(server: AttackedServer) -> None:
    with server.connect() as client:
        for _ in range(3):
            client.sendall(request(LIVE))
            assert status_of(read_one(client)) == 200
        # Longer than any deadline of a request.
        time.sleep(2)
        client.sendall(request(LIVE))
        assert status_of(read_one(client)) == 200


def test_a_header_of_40_mb_is_refused_at_once(server: AttackedServer) -> None:
    before = server.memory()
    sent = 0
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: api.example\r\nX-Large: ")
        with suppress(ConnectionError):
            for _ in range(40):
                client.sendall(b"x" * MB)
                sent += MB
    # What the buffers of both sockets hold is sent, but not read.
    assert sent < 20 * MB
    assert server.memory() - before < 5 * MB
    assert server.samples("nova_http_connections_closed_total")["headers-too-large"] > 0


@pytest.mark.parametrize(
    "headers",
    [
        [f"X-{number}: y" for number in range(100)],
        ["X-Large: " + "x" * 16_384],
        ["X-Large: " + "x" * 8_000, "X-Larger: " + "x" * 8_400],
    ],
)
def test_large_heads_are_refused(server: AttackedServer, headers: list[str]) -> None:
    with server.connect() as client:
        client.sendall(request(LIVE, *headers))
        assert problem_of(read_all(client)) == (431, "headers-too-large")


def test_a_long_path_is_a_large_head(server: AttackedServer) -> None:
    with server.connect() as client:
        client.sendall(request(LIVE + "?" + "x" * 16_384))
        assert problem_of(read_all(client)) == (431, "headers-too-large")


def test_heads_within_the_limits_are_read(server: AttackedServer) -> None:
    headers = [f"X-{number}: {'y' * 140}" for number in range(99)]
    with server.connect() as client:
        for part in (request(LIVE, *headers)[i : i + 1000] for i in range(0, 16_000, 1000)):
            client.sendall(part)
        assert status_of(read_one(client)) == 200


def test_many_small_unfinished_headers_take_no_memory(server: AttackedServer) -> None:
    before = server.memory()
    with ExitStack() as attackers:
        clients = [attackers.enter_context(server.connect()) for _ in range(10)]
        for client in clients:
            with suppress(ConnectionError):
                client.sendall(b"GET / HTTP/1.1\r\nHost: api.example\r\n" + b"a:b\r\n" * 500_000)
        assert server.memory() - before < 10 * MB


def test_trailers_are_no_headers(server: AttackedServer) -> None:
    body = b"2\r\n{}\r\n0\r\n" + authorization().encode() + b"\r\n\r\n"
    chunked = ("Transfer-Encoding: chunked", "Content-Type: application/json")
    with server.connect() as client:
        client.sendall(request(INIT, *chunked, method="POST", body=body))
        assert status_of(read_one(client)) == 401


def test_an_endless_trailer_is_cut_off(server: AttackedServer) -> None:
    before = server.memory()
    chunked = request(INIT, "Transfer-Encoding: chunked", method="POST", body=b"0\r\nX: ")
    sent = 0
    with server.connect() as client, suppress(ConnectionError):
        client.sendall(chunked)
        for _ in range(40):
            client.sendall(b"x" * MB)
            sent += MB
    assert sent < 20 * MB
    assert server.memory() - before < 5 * MB


@pytest.mark.parametrize("framing", ["Content-Length: 65537", "Transfer-Encoding: chunked"])
def test_a_large_body_is_refused_before_it_is_complete(
    server: AttackedServer, framing: str
) -> None:
    json_type = "Content-Type: application/json"
    with server.connect() as client:
        client.sendall(request(INIT, authorization(), framing, json_type, method="POST"))
        if "chunked" in framing:
            client.sendall(b"10001\r\n" + b" " * 65_537)
        answer = read_one(client)
        assert status_of(answer) == 413
        assert b"/problems/request-too-large" in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: one.example\r\nHost: other.example\r\n\r\n",
        b"GET /\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(server: AttackedServer, sent: bytes) -> None:
    with server.connect() as client:
        client.sendall(sent)
        assert problem_of(read_all(client)) == (400, "malformed-request")


def test_a_client_that_expects_100_sends_its_body_then(server: AttackedServer) -> None:
    headers = ("Content-Length: 2", "Expect: 100-continue", "Content-Type: application/json")
    with server.connect() as client:
        client.sendall(request(INIT, *headers, method="POST"))
        assert status_of(read_one(client)) == 100
        client.sendall(b"{}")
        assert status_of(read_one(client)) == 401


def test_requests_sent_ahead_are_answered_in_turn(server: AttackedServer) -> None:
    with server.connect() as client:
        client.sendall(request(LIVE) * 10 + request(LIVE, "Connection: close"))
        assert read_all(client).count(b"HTTP/1.1 200") == 11


def test_too_many_requests_sent_ahead_are_cut_off(server: AttackedServer) -> None:
    with server.connect() as client:
        client.sendall(request(LIVE) * 1000)
        assert read_all(client).count(b"HTTP/1.1 200") < 20


def test_a_client_that_hangs_up_is_no_error(server: AttackedServer) -> None:
    half = request(INIT, authorization(), "Content-Length: 100", method="POST", body=b"{")
    for sent in (half, request(LIVE), b"GET"):
        with server.connect() as client:
            client.sendall(sent)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: server.samples("nova_http_connections")[""] == 0)


def test_a_client_that_does_not_read_is_cut_off(server: AttackedServer) -> None:
    before = server.memory()
    with server.connect(receive_bytes=4096) as client:
        # More than the buffers of both sockets hold.
        client.sendall(request(LARGE_PAGE) * 10)
        wait_until(
            lambda: server.samples("nova_http_connections_closed_total").get("unread", 0) > 0
        )
    assert server.memory() - before < 15 * MB


def test_a_half_sent_request_does_not_delay_the_end(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("ending")
    with (
        attacked_server(folder, postgres_server, APP_BODY_SECONDS="600") as server,
        server.connect() as client,
    ):
        client.sendall(request(INIT, "Content-Length: 100", method="POST", body=b"{"))
        server.process.terminate()
        assert read_all(client) == b""
        assert server.process.wait(30) == 0
