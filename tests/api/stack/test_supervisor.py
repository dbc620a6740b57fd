"""Supervision: order, restarts, backoffs and the end of every process."""

import sys
from pathlib import Path
from signal import SIGKILL

import anyio
import pytest

from api.stack import child, supervisor
from api.stack.child import Child, log_tail, rotate_log, send_signal
from api.stack.errors import CrashLoop
from api.stack.supervisor import supervision
from tests.api.stack.running import children, is_running

pytestmark = pytest.mark.anyio

# Says its name when it is told to stop.
POLITE = """
trap 'echo {name} >> {book}; exit 0' TERM
echo ready
while true; do sleep 0.05; done
"""
STUBBORN = """
trap '' TERM
sleep 999 &
echo ready
while true; do wait; done
"""


def _child(folder: Path, name: str, *argv: str) -> Child:
    return Child(
        name=name, argv=argv, environ={"PATH": "/usr/bin:/bin"}, log=folder / f"{name}.log"
    )


def _polite(folder: Path, name: str) -> Child:
    return _script(folder, name, POLITE.format(name=name, book=folder / "book"))


def _script(folder: Path, name: str, script: str) -> Child:
    log = folder / f"{name}.log"

    async def is_ready() -> bool:
        return "ready" in await anyio.Path(log).read_text()

    return Child(name=name, argv=("/bin/sh", "-c", script), environ={}, log=log, is_ready=is_ready)


async def test_higher_stages_stop_before_lower_ones(tmp_path: Path) -> None:
    async with supervision(report=print) as supervisor:
        await supervisor.start(_polite(tmp_path, "database"), stage=0)
        await supervisor.start(_polite(tmp_path, "service"), stage=1)
    assert (tmp_path / "book").read_text().split() == ["service", "database"]


async def test_a_child_is_stopped_in_order_although_the_block_is_cancelled(tmp_path: Path) -> None:
    with anyio.CancelScope() as scope:
        async with supervision(report=print) as supervisor:
            await supervisor.start(_polite(tmp_path, "service"), stage=0)
            scope.cancel()
            await anyio.sleep_forever()
    assert (tmp_path / "book").read_text().split() == ["service"]


async def test_who_does_not_stop_is_killed_and_so_is_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_WITHIN_SECONDS", 0.3)
    reports: list[str] = []
    before = children()
    async with supervision(report=reports.append) as keeping:
        await keeping.start(_script(tmp_path, "stubborn", STUBBORN), stage=0)
    assert [report for report in reports if "stubborn did not stop" in report]
    assert children() == before


async def test_a_child_that_keeps_dying_waits_longer_each_time_and_is_fatal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "LONGEST_BACKOFF_SECONDS", 0.04)
    reports: list[str] = []
    async with supervision(report=reports.append) as keeping:
        await keeping.start(_child(tmp_path, "broken", "/bin/sh", "-c", "exit 7"), stage=0)
        with anyio.fail_after(60):
            error = await keeping.wait_fatal()
    restarts = [report for report in reports if "exited (exit code 7)" in report]
    backoffs = [report.split("Restarting in ")[1].split(" ")[0] for report in restarts]
    assert backoffs[:5] == ["0.01", "0.02", "0.04", "0.04", "0.04"]
    assert isinstance(error, CrashLoop)
    assert error.name == "broken"


async def test_the_last_words_of_the_dead_are_reported(tmp_path: Path) -> None:
    reports: list[str] = []
    async with supervision(report=reports.append) as keeping:
        await keeping.start(
            _child(tmp_path, "talker", "/bin/sh", "-c", "echo it is so cold; exit 1"), stage=0
        )
        with anyio.fail_after(60):
            while not reports:
                await anyio.sleep(0.01)
    assert "it is so cold" in reports[0]


async def test_no_zombie_is_left_when_a_child_dies(tmp_path: Path) -> None:
    async with supervision(report=print) as keeping:
        await keeping.start(_child(tmp_path, "sleeper", "/bin/sleep", "1000"), stage=0)
        first = keeping.pids["sleeper"]
        send_signal(first, SIGKILL)
        with anyio.fail_after(60):
            while keeping.pids.get("sleeper", first) == first:
                await anyio.sleep(0.01)
        assert not is_running(first)
        second = keeping.pids["sleeper"]
    assert not {first, second} & children()


async def test_a_program_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    reports: list[str] = []
    async with supervision(report=reports.append) as keeping:
        await keeping.start(_child(tmp_path, "absent", "/no/such/program"), stage=0)
        with anyio.fail_after(60):
            while not reports:
                await anyio.sleep(0.01)
    assert "cannot run /no/such/program" in reports[0]


async def test_a_child_is_in_a_session_of_its_own(tmp_path: Path) -> None:
    script = "import os; print(os.getsid(0) == os.getpid(), flush=True); input()"
    async with supervision(report=print) as keeping:
        apart = _child(tmp_path, "apart", sys.executable, "-c", script)
        await keeping.start(apart, stage=0)
        with anyio.fail_after(60):
            while not apart.log.read_text():
                await anyio.sleep(0.01)
    assert apart.log.read_text().startswith("True")


def test_a_log_that_has_grown_too_big_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "LOG_LIMIT_BYTES", 10)
    log = tmp_path / "api.log"
    assert rotate_log(log) == 0
    log.write_text("short")
    assert rotate_log(log) == 5
    log.write_text("longer than that")
    assert rotate_log(log) == 0
    assert (tmp_path / "api.log.1").read_text() == "longer than that"


def test_the_tail_of_a_log_begins_with_this_life(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("old\n" + "new\n" * 50)
    assert set(log_tail(log, 4).splitlines()) == {"new"}
    assert len(log_tail(log, 4).splitlines()) == 12
