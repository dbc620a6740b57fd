"""Rounds: how often and how long things are broken; `just faults` does it in full."""

import os
from typing import Final, TypeVar

FULL: Final = os.environ.get("NOVA_FAULTS") == "full"

_Number = TypeVar("_Number", int, float)


def rounds(full: _Number, *, brief: _Number) -> _Number:
    """The full number, or the one for every day."""
    return full if FULL else brief
