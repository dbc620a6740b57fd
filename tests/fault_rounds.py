"""How often and how long tests break things; `just faults` does it in full."""

import os
from typing import Final, TypeVar

FULL: Final = os.environ.get("NOVA_FAULTS") == "full"

_Number = TypeVar("_Number", int, float)


def rounds(full: _Number, *, brief: _Number) -> _Number:
    """Return the full number under `just faults`, else the brief one."""
    return full if FULL else brief
