"""A terminal: a pseudo-terminal of a given width, and all that a command writes to it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence

TIMEOUT_SECONDS = 60


def run_in_terminal(*words: str, columns: int, **environ: str) -> str:
    """Run a command with both outputs on a terminal; what it wrote, with newlines as files have."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env={**kept, "TERM": "xterm", **environ}
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:
        # Linux reports the other side's end of a terminal as an error.
        pass
    finally:
        os.close(ours)
        process.wait(TIMEOUT_SECONDS)
    return shown.decode().replace("\r\n", "\n")


def run_piped(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with both outputs on pipes."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        words,
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env={**kept, **environ},
    )


def python(script: str) -> Sequence[str]:
    """The command that runs a script of ours."""
    return (sys.executable, "-c", script)
