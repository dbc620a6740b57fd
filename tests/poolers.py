"""A real PgBouncer: Debian's package, unpacked once into a cache and installed nowhere."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import psycopg
import pytest
from filelock import FileLock
from psycopg.conninfo import conninfo_to_dict

from tests.api.stack.running import wait_until

CACHE: Final = Path(tempfile.gettempdir()) / f"nova-pgbouncer-{os.getuid()}"
PACKAGES: Final = ("pgbouncer", "libc-ares2", "libevent-2.1-7")
DOWNLOAD_SECONDS: Final = 120
# The first that knows `max_prepared_statements`.
PREPARED_SINCE: Final = (1, 21)

_CONFIGURATION: Final = """
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 8
ignore_startup_parameters = extra_float_digits
{prepared}
"""


def find_pgbouncer() -> tuple[Path, dict[str, str]]:
    """The program, and the environment in which it runs; skips the test where apt has none."""
    if installed := shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin"):
        return Path(installed), dict(os.environ)
    with FileLock(f"{CACHE}.lock"):
        if not (CACHE / "complete").exists():
            _unpack()
    libraries = [str(path.parent) for path in CACHE.rglob("libcares.so.2")]
    return CACHE / "usr/sbin/pgbouncer", {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}


def _unpack() -> None:
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg")
    if apt is None or dpkg is None:
        pytest.skip("neither PgBouncer nor apt-get is installed: poolers were not tested")
    CACHE.mkdir(exist_ok=True)
    if not _succeeds(apt, "download", *PACKAGES):
        _succeeds(apt, "update")
        if not _succeeds(apt, "download", *PACKAGES):
            pytest.skip("apt-get cannot download PgBouncer: poolers were not tested")
    for package in CACHE.glob("*.deb"):
        assert _succeeds(dpkg, "-x", str(package), ".")
    (CACHE / "complete").touch()


def _succeeds(*command: str) -> bool:
    ended = subprocess.run(
        command, check=False, cwd=CACHE, capture_output=True, timeout=DOWNLOAD_SECONDS
    )
    return ended.returncode == 0


@contextmanager
def run_pgbouncer(
    url: str, *, mode: Literal["transaction", "session"], prepared_statements: int = 0
) -> Iterator[str]:
    """The URL of the same database through a PgBouncer that runs until the block ends."""
    program, environ = find_pgbouncer()
    options = conninfo_to_dict(url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        own_port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "pgbouncer.ini"
        configuration.write_text(
            _CONFIGURATION.format(
                host=options["host"],
                port=options["port"],
                user=options["user"],
                password=options["password"],
                own_port=own_port,
                mode=mode,
                prepared=_prepared(program, environ, prepared_statements),
            )
        )
        # It refuses to run as root; what only root may read, it has read before.
        account = ("-u", "nobody") if os.getuid() == 0 else ()
        Path(folder).chmod(0o755)
        command = [program, "-q", *account, configuration]
        process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE)
        try:
            pooled = f"postgresql://{options['user']}@127.0.0.1:{own_port}/{options['dbname']}"
            wait_until(lambda: _answers(pooled))
            yield pooled
        finally:
            process.kill()
            process.communicate()


def _prepared(program: Path, environ: dict[str, str], number: int) -> str:
    said = subprocess.run(
        [program, "--version"], check=True, capture_output=True, text=True, env=environ
    ).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found, said
    if (int(found[1]), int(found[2])) >= PREPARED_SINCE:
        return f"max_prepared_statements = {number}"
    if number:
        pytest.skip(f"{found[0]} carries no prepared statements: 1.21 or later was not tested")
    return ""


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
