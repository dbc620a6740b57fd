"""Free TCP ports on the loopback interface, the same ones from run to run where possible."""

import random
import socket
from collections.abc import Iterable
from pathlib import Path

import msgspec

from api.stack.errors import PortTaken

# SeaweedFS listens for gRPC this far above each of its ports.
GRPC_OFFSET = 10_000
# Both a port and the one GRPC_OFFSET above it stay below 32768, where outgoing connections take
# theirs: a client that retries while its server restarts would else take the server's own port.
_CANDIDATES = range(12_000, 22_700)


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
        usable = port is not None and port not in chosen.values() and _pair_is_free(port)
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
        if port not in taken and _pair_is_free(port):
            return port
    raise PortTaken(_CANDIDATES.stop)


def _pair_is_free(port: int) -> bool:
    return is_free(port) and is_free(port + GRPC_OFFSET)
