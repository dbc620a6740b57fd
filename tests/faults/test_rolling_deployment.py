"""A new version takes over, process by process, and no client is answered with an error."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from api.stack.local import LocalStack
from api.stack.ports import choose_ports
from tests.acceptance.app import App
from tests.api.stack.running import wait_until
from tests.fault_rounds import rounds
from tests.faults.invariants import assert_nothing_lost
from tests.faults.processes import is_ready, working

LEAVE_SECONDS = 2.0
LOOK_SECONDS = 0.2
ROUNDS = rounds(5, brief=1)


class Balancer:
    """Sends each request to one of the APIs that say that they are ready."""

    def __init__(self, urls: list[str]) -> None:
        self.ready = list(urls)
        self._urls = urls
        self._turn = 0

    def watch(self, stopped: threading.Event) -> None:
        """Look who is ready, again and again."""
        with httpx.Client(timeout=2) as http:
            while not stopped.wait(LOOK_SECONDS):
                # When none says so in time, the last ones to do so are as good as any.
                self.ready = [url for url in self._urls if is_ready(http, url)] or self.ready

    def next(self) -> str:
        """Whose turn it is."""
        self._turn += 1
        return self.ready[self._turn % len(self.ready)]


class BalancedApp(App):
    """An app that only knows the balancer, and remembers every answer that it got from it."""

    def __init__(self, http: httpx.Client, balancer: Balancer, *, secret: str) -> None:
        super().__init__(http, secret=secret)
        self.answers: list[int | str] = []
        self._balancer = balancer

    def ask(self, method: str, path: str, content: object = None) -> httpx.Response:
        """One request, on a connection that is kept."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self._balancer.next()}/api/v1{path}"
        try:
            answer = self.http.request(method, url, json=content, headers=headers)
        except httpx.TransportError as error:
            self.answers.append(repr(error))
            raise
        self.answers.append(answer.status_code)
        return answer


class Client(threading.Thread):
    """Publishes photo after photo until it is stopped, and gives up at the first error."""

    def __init__(
        self, balancer: Balancer, stopped: threading.Event, photo: bytes, *, secret: str
    ) -> None:
        super().__init__()
        self.app = BalancedApp(httpx.Client(timeout=10), balancer, secret=secret)
        self.posts: list[str] = []
        self._stopped = stopped
        self._photo = photo

    def run(self) -> None:
        with self.app.http:
            while not self._stopped.is_set():
                self.posts.append(self.app.upload(self._photo))
                assert self.app.wait_until_final(self.posts[-1])["status"] == "published"


@contextmanager
def serving(
    stack: LocalStack, port: int, *, leave_seconds: float = LEAVE_SECONDS
) -> Iterator[subprocess.Popen[str]]:
    """An API on a port, ready."""
    environ = {"APP_PORT": str(port), "APP_SHUTDOWN_DELAY_SECONDS": str(leave_seconds)}
    with working(stack, sys.executable, "-m", "api", "api", environ=environ) as process:
        with httpx.Client(timeout=2) as http:
            wait_until(lambda: is_ready(http, f"http://127.0.0.1:{port}"))
        yield process


def test_apis_are_replaced_one_by_one_and_no_upload_notices(
    stack: LocalStack, jpeg: bytes, tmp_path: Path
) -> None:
    ports = list(choose_ports(["one", "other"], tmp_path / "ports.json").values())
    stopped = threading.Event()
    balancer = Balancer([f"http://127.0.0.1:{port}" for port in ports])
    secret = stack.environ["JWT_SECRET"]
    with ExitStack() as running:
        processes = {port: running.enter_context(serving(stack, port)) for port in ports}
        clients = [Client(balancer, stopped, jpeg, secret=secret) for _ in range(3)]
        watch = threading.Thread(target=balancer.watch, args=[stopped])
        for thread in (watch, *clients):
            thread.start()
        try:
            for port in ports * ROUNDS:
                for pid in (stack.pids.get(name) for name in ("worker", "projector")):
                    # The supervisor starts the next ones.
                    if pid is not None:
                        os.kill(pid, signal.SIGTERM)
                processes[port].send_signal(signal.SIGTERM)
                processes[port].wait(20)
                processes[port] = running.enter_context(serving(stack, port))
                wait_until(lambda: len(balancer.ready) == len(ports))
        finally:
            stopped.set()
            for thread in (watch, *clients):
                thread.join()
    answers = [answer for client in clients for answer in client.app.answers]
    assert set(answers) == {200, 201, 202}
    posts = [post for client in clients for post in client.posts]
    assert len(posts) >= len(clients)
    assert len(answers) > 100
    assert_nothing_lost(stack, posts)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_means_now(
    stack: LocalStack, tmp_path: Path, signal_number: signal.Signals
) -> None:
    (port,) = choose_ports(["one"], tmp_path / "ports.json").values()
    with serving(stack, port, leave_seconds=60) as process:
        process.send_signal(signal_number)
        with httpx.Client(timeout=2) as http:
            # It still answers, and reports that it is not ready.
            answer = http.get(f"http://127.0.0.1:{port}/api/v1/health/ready")
            assert (answer.status_code, answer.headers["connection"]) == (503, "close")
            assert http.get(f"http://127.0.0.1:{port}/api/v1/health/live").status_code == 200
        process.send_signal(signal_number)
        process.wait(20)
