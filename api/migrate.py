"""Migrations with the SQL functions of every room: the composition root of `nova migrate`.

A room's functions stand beside its code. They are collected here because nothing below knows all
packages.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import domain
import projections
import transcoder
from projections.migrate import Applied, apply_migrations
from projections.sql_functions import find_functions

FOLDERS: Final = [Path(package.__path__[0]) for package in (domain, projections, transcoder)]


def migrate(url: str, *, roles: Sequence[str] = ()) -> Applied:
    """Bring a database to this version; see `projections.migrate.apply_migrations`."""
    return apply_migrations(url, find_functions(FOLDERS), roles=roles)
