"""Reports: measured seconds under a name, for the table at the end of a run."""

from collections.abc import Callable
from typing import TypeAlias

Report: TypeAlias = Callable[[str, list[float]], None]
