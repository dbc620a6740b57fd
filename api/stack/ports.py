"""Free TCP ports, on loopback unless asked otherwise, the same ones from run to run where possible.

A port is bound seconds after it is chosen, so it stays reserved until this process exits.
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

# SeaweedFS serves gRPC at this offset from each of its ports.
GRPC_OFFSET = 10_000
# A port and the one GRPC_OFFSET above it stay below 32768, where ephemeral ports begin: otherwise a
# client that reconnects while its server restarts could take the port of that server.
_CANDIDATES = range(12_000, 22_700)
# The ports that this process has reserved, each by a file lock that ends with the process.
_reserved: Final[set[int]] = set()


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether the port can be bound now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections in TIME_WAIT must not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def require_free(port: int, *, host: str) -> None:
    """Check a requested port.

    Raises:
        PortTaken: another program listens there.
    """
    if not is_free(port, host=host):
        raise PortTaken(port)


def choose_ports(names: Iterable[str], memory: Path, *, host: str = "127.0.0.1") -> dict[str, int]:
    """Choose a port for each name, also free at GRPC_OFFSET above; saved in the file `memory`."""
    remembered = _recall(memory)
    chosen: dict[str, int] = {}
    for name in names:
        port = remembered.get(name)
        usable = port is not None and port not in chosen.values() and _try_reserve(port, host)
        chosen[name] = port if port is not None and usable else _pick(set(chosen.values()), host)
    memory.write_bytes(msgspec.json.encode(remembered | chosen))
    return chosen


def _recall(memory: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, int])
    except (FileNotFoundError, msgspec.DecodeError):  # a crash may leave an empty file
        return {}


def _pick(taken: set[int], host: str) -> int:
    # At random, so that two stacks starting at once rarely pick the same.
    for port in random.sample(_CANDIDATES, len(_CANDIDATES)):
        if port not in taken and port not in _reserved and _try_reserve(port, host):
            return port
    raise PortTaken(_CANDIDATES.stop)


def _try_reserve(port: int, host: str) -> bool:
    free = is_free(port, host=host) and is_free(port + GRPC_OFFSET, host=host)
    return free and _reserve(port)


def _reserve(port: int) -> bool:
    """Reserve the port; returns whether no other process has."""
    if port in _reserved:
        return True
    folder = Path(tempfile.gettempdir()) / f"nova-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / str(port), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    _reserved.add(port)
    return True
