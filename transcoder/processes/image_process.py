"""An image process as its worker sees it: started, asked for renderings, killed."""

import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import IO, Final, Self, cast

import msgspec
from anyio import CancelScope, CapacityLimiter, to_thread

from domain.formats import ContentType
from transcoder.errors import RendererCrashed, TranscoderError
from transcoder.processes import claims, messages
from transcoder.rendering import Limits, Rendering

PROGRAM: Final = (sys.executable, "-P", "-m", "transcoder.processes")
# What a process needs to run, and what tunes its memory and arithmetic. All other variables, such
# as credentials, never reach it.
_KEPT_VARIABLES: Final = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH"})
_KEPT_PREFIXES: Final = ("GLIBC_TUNABLES", "MALLOC_", "OPENBLAS_")


class ImageProcess:
    """One image process, which renders one picture at a time; it ends with this object.

    Its pipes are read and written in a thread, so that the event loop goes on meanwhile.
    """

    def __init__(self, limits: Limits) -> None:
        # Not in a thread: the process is killed when the thread that started it ends.
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [*PROGRAM, msgspec.json.encode(limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environ(),
            bufsize=0,
        )
        self._kill = weakref.finalize(self, _kill, self._process)
        self._thread = CapacityLimiter(1)
        self.missing: tuple[str, ...] = ()

    @classmethod
    async def start(cls, limits: Limits) -> Self:
        """Start a process and wait until it is warm.

        Raises:
            RendererCrashed: it cannot run on this machine; it says why on stderr.
        """
        process = cls(limits)
        reply = await process._exchange(None)
        if not isinstance(reply, messages.Ready):
            await process.kill()
            raise RendererCrashed
        process.missing = reply.missing
        return process

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    async def render(self, content: bytes, content_type: ContentType) -> Rendering:
        """Make all variants of one original. Whoever cancels it has killed the process.

        Raises:
            TranscoderError: the original cannot be rendered, or `RendererCrashed`.
        """
        reply = await self._exchange(messages.Request(content_type, content))
        try:
            made = _outcome_of(reply)
        except (ValueError, TypeError) as error:
            await self.kill()
            raise RendererCrashed from error
        if isinstance(made, TranscoderError):
            raise made
        return made

    async def kill(self) -> None:
        """End it, and wait until it has ended."""
        with CancelScope(shield=True):
            await to_thread.run_sync(self._kill)

    async def _exchange(self, request: messages.Request | None) -> messages.Reply:
        try:
            return await to_thread.run_sync(
                _exchange, self._process, request, abandon_on_cancel=True, limiter=self._thread
            )
        except (OSError, EOFError, ValueError) as error:
            await self.kill()
            raise RendererCrashed from error
        except BaseException:
            await self.kill()
            raise


def _outcome_of(reply: messages.Reply) -> Rendering | TranscoderError:
    """What it says, if it can be true."""
    match reply:
        case messages.Rendered(rendering):
            claims.check(rendering)
            return rendering
        case messages.Failed():
            return reply.error()
        case messages.Ready():
            raise claims.ForgedReply


def _environ() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES)
    }
    # The packages of this process, wherever it has them from.
    here = str(Path.cwd())
    return kept | {"PYTHONPATH": os.pathsep.join(path or here for path in sys.path)}


def _exchange(process: subprocess.Popen[bytes], request: messages.Request | None) -> messages.Reply:
    if request is not None:
        messages.send(cast("IO[bytes]", process.stdin).fileno(), request)
    return messages.receive_reply(cast("IO[bytes]", process.stdout).fileno())


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
