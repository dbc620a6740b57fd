"""A local stack with tiny stand-ins for our services, run from a thread of its own."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from anyio.from_thread import start_blocking_portal

from api.stack.local import LocalStack, local_stack

# Answers every GET with its environment, as JSON.
API: Final = (
    sys.executable,
    "-c",
    """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())
address = os.environ["APP_HOST"], int(os.environ["APP_PORT"])
http.server.HTTPServer(address, Handler).serve_forever()
""",
)
SLEEPER: Final = ("/bin/sleep", "1000")
SERVICES: Final[Mapping[str, Sequence[str]]] = {
    "api": API,
    "worker": SLEEPER,
    "projector": SLEEPER,
}
MIGRATE: Final = ("/bin/true",)
LIMIT_SECONDS: Final = 60.0


class RunningStack:
    """The stack and everything that it has reported."""

    def __init__(self, stack: LocalStack, reports: list[str]) -> None:
        self.stack = stack
        self.reports = reports

    def has_reported(self, *words: str) -> bool:
        """Whether one report contains all the words."""
        return any(all(word in report for word in words) for report in self.reports)


@contextmanager
def run_stack(folder: Path, *, environ: Mapping[str, str] | None = None) -> Iterator[RunningStack]:
    """Run a stack with fake services until the block ends."""
    reports: list[str] = []
    with start_blocking_portal() as portal:
        context = local_stack(
            folder=folder,
            port=None,
            environ=environ or {},
            report=reports.append,
            services=SERVICES,
            migrate=MIGRATE,
        )
        with portal.wrap_async_context_manager(context) as stack:
            yield RunningStack(stack, reports)


def wait_until(condition: Callable[[], bool], *, seconds: float = LIMIT_SECONDS) -> None:
    """Wait for it, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def children() -> set[int]:
    """The process ids of all that descend from us, zombies among them."""
    return {child.pid for child in psutil.Process(os.getpid()).children(recursive=True)}


def running_in(folder: Path) -> set[int]:
    """The process ids of what works in `folder`, or names it in its command line."""
    found = set()
    for process in psutil.process_iter():
        try:
            places = (process.cwd(), *process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(str(folder) in place for place in places):
            found.add(process.pid)
    return found
