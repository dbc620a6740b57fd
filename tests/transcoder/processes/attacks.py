"""Attacks: what code that took over a decoder would try, run in a process of its own.

`python -m tests.transcoder.processes.attacks MODE TARGETS` prints how each attack ended:
`succeeded` or the name of the error. The modes name the defences: `none`, `landlock`, `seccomp`,
`all`.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import seccompy

from tests.transcoder import pictures
from transcoder.processes import confinement, landlock, renderer, seccomp
from transcoder.rendering import Limits

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_BYTES: Final = b"anything"


class Targets:
    """What the attacks aim at: a process with a secret, open ports, files."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.victim: int = facts["victim"]
        self.port: int = facts["port"]
        self.unix_socket: str = facts["unix_socket"]
        self.folder = Path(facts["folder"])


def _attacks(at: Targets) -> Mapping[str, Callable[[], object]]:
    file, other = at.folder / "file", at.folder / "other"
    proc = Path(f"/proc/{at.victim}")
    return {
        "read the environment of a process": (proc / "environ").read_bytes,
        "read the memory of a process": lambda: os.open(proc / "mem", os.O_RDONLY),
        "read a file": file.read_bytes,
        "list a folder": lambda: list(at.folder.iterdir()),
        "write a file": lambda: os.open(file, os.O_WRONLY),
        "create a file": lambda: os.open(other, os.O_WRONLY | os.O_CREAT, 0o600),
        "create a folder": (at.folder / "folder").mkdir,
        "change the mode of a file": lambda: file.chmod(0o600),
        "remove a file": (at.folder / "removable").unlink,
        "connect by TCP": lambda: _connected(socket.AF_INET, ("127.0.0.1", at.port)),
        "connect to a Unix socket": lambda: _connected(socket.AF_UNIX, at.unix_socket),
        "listen": _listen,
        "send by UDP": lambda: _udp().sendto(_BYTES, ("127.0.0.1", at.port)),
        "run a program": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
        "fork": _fork,
        "signal a process": lambda: os.kill(at.victim, 0),
        "limit a process": lambda: resource.prlimit(at.victim, resource.RLIMIT_NOFILE),
        "add code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
        "use a thread that was there before": _in_old_thread(file.read_bytes),
    } | {f"call {name}": _raw(name, *arguments) for name, arguments in _raw_calls(at).items()}


def _raw_calls(at: Targets) -> dict[str, tuple[object, ...]]:
    """System calls that would end with another error than EPERM, or succeed, if they were made."""
    return {
        "execve": (b"/no/such/program", None, None),
        "ptrace": (16, at.victim, None, None),
        "process_vm_readv": (at.victim, None, 0, None, 0, 0),
        "pidfd_open": (at.victim, 0),
        "clone": (17, None, None, None, None),
        "memfd_create": (b"name", 0),
        "io_uring_setup": (1, None),
        "unshare": (0,),
        "userfaultfd": (-1,),
        "fcntl": (0, 8, at.victim),
        "socketpair": (1, 1, 0, None),
    }


def _raw(name: str, *arguments: object) -> Callable[[], int]:
    def call() -> int:
        result: int = _LIBC.syscall(seccompy.syscall_nr(name), *arguments)
        if name == "clone" and result == 0:
            os._exit(0)
        if result == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    return call


def _connected(family: int, address: object) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.connect(address)  # type: ignore[arg-type]


def _listen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


def _udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _in_old_thread(action: Callable[[], object]) -> Callable[[], object]:
    """Runs the action in a thread that starts now, whenever it is called."""
    go, done = threading.Event(), threading.Event()
    ended: list[BaseException | None] = []

    def wait_and_run() -> None:
        go.wait()
        try:
            action()
        except OSError as error:
            ended.append(error)
        else:
            ended.append(None)
        done.set()

    threading.Thread(target=wait_and_run, daemon=True).start()

    def run() -> None:
        go.set()
        done.wait()
        if ended[0] is not None:
            raise ended[0]

    return run


def _outcome(attack: Callable[[], object]) -> str:
    try:
        attack()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "succeeded"


def _defend(mode: str) -> tuple[str, ...]:
    if mode == "none":
        return ()
    if mode == "all":
        renderer.prepare(Limits())
        return confinement.confine()
    # As on a machine that lacks the other one, and for an image process of the same user.
    confinement._leave_root = lambda: True
    if mode == "landlock":
        seccomp.is_available = lambda: False  # type: ignore[assignment]
    else:
        landlock.abi = lambda: 0  # type: ignore[assignment]
    confinement.confine_start()
    return confinement.confine()


def _rendered_width() -> int:
    made = renderer.render_in_sandbox(PHOTO, "image/jpeg", Limits())
    return made.width


def main() -> None:
    """Defend, attack, render, and print what happened."""
    mode, targets = sys.argv[1], Targets(json.loads(sys.argv[2]))
    attacks = _attacks(targets)
    missing = _defend(mode)
    outcomes = {name: _outcome(attack) for name, attack in attacks.items()}
    answer = {
        "outcomes": outcomes,
        "missing": missing,
        "rendered_width": _rendered_width() if mode == "all" else None,
    }
    sys.stdout.write(json.dumps(answer))


PHOTO: Final = pictures.jpeg()

if __name__ == "__main__":
    main()
