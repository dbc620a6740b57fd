"""A supervisor of child processes: starts, restarts and stops them in order."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from signal import SIGKILL, Signals

import anyio
import anyio.abc

from api.stack.child import Child, kill_session, log_tail, rotate_log, send_signal, spawn
from api.stack.errors import CrashLoop, ServerDidNotStart, StackError

Report = Callable[[str], None]

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 10.0
# A child that has run this long has recovered: its next crash counts as the first.
STEADY_SECONDS = 20.0
# A child that crashes this often before it is ready does not start at all.
START_ATTEMPTS = 3
FATAL_CRASHES = 6
PROBE_EVERY_SECONDS = 0.02
PROBE_WITHIN_SECONDS = 5.0
UNPROBED_SECONDS = 2.0
STOP_WITHIN_SECONDS = 9.5
# Each stage but the last may use this share of the time that is left to stop.
STAGE_SHARE = 0.6


@contextmanager
def unwrap_single_error() -> Iterator[None]:
    """Raise the only error of a task group without the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


@asynccontextmanager
async def supervision(*, report: Report) -> AsyncIterator["Supervisor"]:
    """A supervisor that stops all its children when the block ends, even when cancelled."""
    with unwrap_single_error():
        async with anyio.create_task_group() as tasks:
            supervisor = Supervisor(tasks, report)
            try:
                yield supervisor
            finally:
                with anyio.CancelScope(shield=True):
                    await supervisor.stop()


class Supervisor:
    """Keeps children running, stage by stage; higher stages depend on lower ones."""

    def __init__(self, tasks: anyio.abc.TaskGroup, report: Report) -> None:
        self._tasks = tasks
        self._report = report
        self._stages: dict[int, list[_Keeper]] = {}
        self._fatal = anyio.Event()
        self._fatal_error: StackError | None = None

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the running children, by name."""
        keepers = [keeper for stage in self._stages.values() for keeper in stage]
        return {keeper.child.name: keeper.pid for keeper in keepers if keeper.pid is not None}

    async def start(self, *children: Child, stage: int) -> None:
        """Start the children in parallel and wait until all are ready.

        Raises:
            ServerDidNotStart: one exited or timed out; the others keep running.
        """
        keepers = [_Keeper(child, report=self._report, fail=self._fail) for child in children]
        self._stages.setdefault(stage, []).extend(keepers)
        for keeper in keepers:
            self._tasks.start_soon(keeper.keep)
        for keeper in keepers:
            await keeper.wait_ready()

    async def wait_fatal(self) -> StackError:
        """Wait, without a timeout, until a child keeps crashing; it is still restarted."""
        await self._fatal.wait()
        assert self._fatal_error is not None  # noqa: S101 - set before the event
        return self._fatal_error

    async def stop(self) -> None:
        """Stop the highest stage first, the children of a stage in parallel."""
        deadline = anyio.current_time() + STOP_WITHIN_SECONDS
        for stage in sorted(self._stages, reverse=True):
            left = max(deadline - anyio.current_time(), 0)
            grace_seconds = left * (STAGE_SHARE if stage != min(self._stages) else 1)
            async with anyio.create_task_group() as stopping:
                for keeper in self._stages[stage]:
                    stopping.start_soon(keeper.stop, grace_seconds)

    def _fail(self, error: StackError) -> None:
        self._fatal_error = self._fatal_error or error
        self._fatal.set()


class _Keeper:
    """Keeps one child running."""

    def __init__(self, child: Child, *, report: Report, fail: Callable[[StackError], None]) -> None:
        self.child = child
        self.pid: int | None = None
        self._report = report
        self._fail = fail
        self._crashes = 0
        self._log_start = 0
        self._was_ready = False
        self._started_or_failed = anyio.Event()
        self._stopping = anyio.Event()
        self._ended = anyio.Event()

    async def keep(self) -> None:
        # Only stop() ends a child: cancellation would leave it no time to shut down.
        with anyio.CancelScope(shield=True):
            try:
                while not self._stopping.is_set():
                    await self._run_and_back_off()
            finally:
                self._started_or_failed.set()
                self._ended.set()

    async def wait_ready(self) -> None:
        with anyio.move_on_after(self.child.ready_within_seconds):
            await self._started_or_failed.wait()
        if not self._was_ready:
            tail = log_tail(self.child.log, self._log_start)
            raise ServerDidNotStart(self.child.name, log=self.child.log, log_tail=tail)

    async def stop(self, time_left_seconds: float) -> None:
        grace_seconds = min(time_left_seconds, self.child.stop_within_seconds)
        self._stopping.set()
        self._signal(self.child.stop_signal)
        with anyio.move_on_after(grace_seconds):
            await self._ended.wait()
        if not self._ended.is_set():
            self._report(f"{self.child.name} did not stop within {grace_seconds:.1f} s, killed")
            self._signal(SIGKILL)
            await self._ended.wait()

    async def _run_and_back_off(self) -> None:
        self._log_start = rotate_log(self.child.log)
        started = anyio.current_time()
        cause = await self._run_once()
        if self._stopping.is_set():
            return
        if anyio.current_time() - started >= STEADY_SECONDS:
            self._crashes = 0
        self._crashes += 1
        await self._back_off(cause)

    async def _run_once(self) -> str:
        """Run the child to its end; returns how it ended."""
        try:
            process = await spawn(self.child)
        except OSError as error:  # no memory, no process ids left, …
            return f"failed to start: {error}"
        self.pid = process.pid
        if self._stopping.is_set():  # stop() was called during the start
            self._signal(self.child.stop_signal)
        async with anyio.create_task_group() as probing:
            probing.start_soon(self._watch_until_ready)
            await process.wait()
            probing.cancel_scope.cancel()
        self.pid = None
        kill_session(process.pid)
        for path in self.child.leftovers:
            path.unlink(missing_ok=True)
        return _cause(await process.wait())

    async def _watch_until_ready(self) -> None:
        while not await self._probe():  # noqa: ASYNC110 - another process cannot set our event
            await anyio.sleep(PROBE_EVERY_SECONDS)
        if self._crashes:
            if self.child.is_ready is None:  # it may still crash during its start
                await anyio.sleep(UNPROBED_SECONDS)
            self._report(f"{self.child.name} is running again")
        self._was_ready = True
        self._started_or_failed.set()

    async def _probe(self) -> bool:
        if self.child.is_ready is None:
            return True
        with anyio.move_on_after(PROBE_WITHIN_SECONDS):
            return await self.child.is_ready()
        return False

    async def _back_off(self, cause: str) -> None:
        backoff = min(FIRST_BACKOFF_SECONDS * 2 ** (self._crashes - 1), LONGEST_BACKOFF_SECONDS)
        self._report(
            f"{self.child.name} exited ({cause}). Restarting in {backoff:g} s. "
            f"Last output:\n{log_tail(self.child.log, self._log_start)}"
        )
        if not self._was_ready and self._crashes >= START_ATTEMPTS:
            self._started_or_failed.set()
        if self._crashes >= FATAL_CRASHES:
            self._fail(CrashLoop(self.child.name, crashes=self._crashes, log=self.child.log))
        with anyio.move_on_after(backoff):
            await self._stopping.wait()

    def _signal(self, signal: Signals) -> None:
        if self.pid is not None:
            send_signal(self.pid, signal)


def _cause(exit_code: int) -> str:
    return Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
