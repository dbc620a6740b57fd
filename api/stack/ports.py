"""Free TCP ports on the loopback interface, the same ones from run to run where possible.

Seconds pass between the choice of a port and its use: until this process ends, nobody else who
chooses here is given the same one.
"""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from api.stack.errors import PortTaken

# SeaweedFS listens for gRPC this far above each of its ports.
GRPC_OFFSET = 10_000
# Both a port and the one GRPC_OFFSET above it stay below 32768, where outgoing connections take
# theirs: a client that retries while its server restarts would else take the server's own port.
_CANDIDATES = range(12_000, 22_700)
# The ports that this process has chosen. Each is a locked file; the system unlocks it at its end.
_ours: Final[set[int]] = set()


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether nobody listens there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do it: a connection that lingers from the last run is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def require_free(port: int, *, host: str) -> None:
    """Check the port that somebody asked for.

    Raises:
        PortTaken: somebody listens there.
    """
    if not is_free(port, host=host):
        raise PortTaken(port)


def choose_ports(names: Iterable[str], memory: Path) -> dict[str, int]:
    """A port for each name, free at GRPC_OFFSET above as well; remembered in the file `memory`."""
    remembered = _recall(memory)
    chosen: dict[str, int] = {}
    for name in names:
        port = remembered.get(name)
        usable = port is not None and port not in chosen.values() and _is_ours_to_take(port)
        chosen[name] = port if port is not None and usable else _pick(set(chosen.values()))
    memory.write_bytes(msgspec.json.encode(remembered | chosen))
    return chosen


def _recall(memory: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, int])
    except (FileNotFoundError, msgspec.DecodeError):  # a crash can leave an empty file
        return {}


def _pick(taken: set[int]) -> int:
    # At random, so that two stacks that start at the same moment do not pick the same.
    for port in random.sample(_CANDIDATES, len(_CANDIDATES)):
        if port not in taken and port not in _ours and _is_ours_to_take(port):
            return port
    raise PortTaken(_CANDIDATES.stop)


def _is_ours_to_take(port: int) -> bool:
    return is_free(port) and is_free(port + GRPC_OFFSET) and _reserve(port)


def _reserve(port: int) -> bool:
    """Whether nobody else has chosen it; from now on, nobody else can."""
    if port in _ours:
        return True
    folder = Path(tempfile.gettempdir()) / f"nova-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / str(port), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    _ours.add(port)
    return True
