"""The embedded PostgreSQL: a cluster created once, and the server as a child process."""

import hmac
import shutil
import stat
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from signal import SIGINT
from typing import Final

import anyio
import psutil
import psycopg
from anyio import from_thread
from anyio.to_thread import run_sync
from msgspec import Struct

from api.stack.account import allow_reading, allow_traversal, chown_tree, postgres_account
from api.stack.child import Account, Child, run_to_end
from api.stack.credentials import Credentials
from api.stack.database import DATABASE, SERVICES, prepare_database
from api.stack.folder import StackFolder
from api.stack.postgres_programs import find_programs
from api.stack.supervisor import Report, Supervisor

OWNER: Final = "nova"
INITDB_WITHIN_SECONDS: Final = 120
CONNECT_WITHIN_SECONDS: Final = 2
# After a crash, the server replays its write-ahead log before it accepts connections.
READY_WITHIN_SECONDS: Final = 120
# English messages and UTC, whatever the locale of the machine: people send us the logs.
_ENVIRON: Final[Mapping[str, str]] = {"LC_ALL": "C", "TZ": "UTC"}


class DatabaseAccess(Struct, frozen=True, kw_only=True):
    """The URLs of the database: as the role of the services, and as the superuser that migrates."""

    services_url: str
    owner_url: str


async def start_postgres(
    supervisor: Supervisor,
    folder: StackFolder,
    *,
    credentials: Credentials,
    port: int,
    report: Report,
    durable: bool = True,
) -> DatabaseAccess:
    """Start the server, with an empty database on first use.

    It listens on 127.0.0.1 only, without a unix socket, and requires the password.
    `durable=False` trades crash safety for speed, for tests only.

    Raises:
        StackError: it cannot run here, or did not start.
    """
    programs = find_programs()
    account = await run_sync(_prepare_account, folder, programs, report)
    if not (folder.postgres / "PG_VERSION").exists():
        await _create_cluster(
            folder, programs, password=credentials.postgres_password, account=account
        )
    await run_sync(_remove_stale_pid_file, folder.postgres)
    owner = f"postgresql://{OWNER}:{credentials.postgres_password}@127.0.0.1:{port}"
    child = Child(
        name="postgres",
        argv=_argv(programs, folder.postgres, port=port, durable=durable),
        environ=_ENVIRON,
        log=folder.log("postgres"),
        account=account,
        stop_signal=SIGINT,  # fast shutdown: does not wait for clients
        orphan_signal=SIGINT,
        is_ready=partial(_accepts, f"{owner}/postgres"),
        ready_within_seconds=READY_WITHIN_SECONDS,
    )
    await supervisor.start(child, stage=0)
    # The same at every start, and it does not lead back to the owner's.
    password = hmac.digest(
        credentials.postgres_password.encode(), SERVICES.encode(), "sha256"
    ).hex()
    with anyio.fail_after(READY_WITHIN_SECONDS):
        await prepare_database(f"{owner}/postgres", services_password=password)
    return DatabaseAccess(
        services_url=f"postgresql://{SERVICES}:{password}@127.0.0.1:{port}/{DATABASE}",
        owner_url=f"{owner}/{DATABASE}",
    )


def _prepare_account(folder: StackFolder, programs: Path, report: Report) -> Account | None:
    account = postgres_account()
    if account is not None:
        for path in (folder.postgres, programs / "postgres"):
            allow_traversal(path, lambda line: from_thread.run_sync(report, line))
        if not (programs / "postgres").stat().st_mode & stat.S_IXOTH:
            allow_reading(programs.parent)
        if folder.postgres.exists():
            chown_tree(folder.postgres, account)
    return account


def _remove_stale_pid_file(cluster: Path) -> None:
    """Remove the pid file of a killed server if another program has that process id now.

    The server removes its own stale pid file, but not while any process has that id.
    """
    pid_file = cluster / "postmaster.pid"
    try:
        process = psutil.Process(int(pid_file.read_text().partition("\n")[0]))
        if str(cluster) not in process.cmdline():
            pid_file.unlink()
    except (FileNotFoundError, ValueError, psutil.Error):
        return  # nothing stale that the server would not remove


def _argv(programs: Path, cluster: Path, *, port: int, durable: bool) -> tuple[str, ...]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "log_timezone": "UTC",
        # Each process opens up to 2 × DB_POOL_SIZE connections and some more.
        "max_connections": "300",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return (str(programs / "postgres"), "-D", str(cluster), *options)


async def _create_cluster(
    folder: StackFolder, programs: Path, *, password: str, account: Account | None
) -> None:
    # Created under another name, so that an interrupted initdb is never started.
    draft = folder.path / "postgres.new"
    password_file = folder.path / "postgres.password"
    await run_sync(_prepare_draft, draft, password_file, password, account)
    try:
        await run_to_end(
            Child(
                name="initdb",
                argv=_initdb_argv(programs, draft, password_file),
                environ=_ENVIRON,
                log=folder.log("initdb"),
                account=account,
            ),
            within_seconds=INITDB_WITHIN_SECONDS,
        )
    finally:
        password_file.unlink(missing_ok=True)
    draft.rename(folder.postgres)


def _prepare_draft(
    draft: Path, password_file: Path, password: str, account: Account | None
) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if account is not None:
        chown_tree(draft, account)
        chown_tree(password_file, account)


def _initdb_argv(programs: Path, draft: Path, password_file: Path) -> tuple[str, ...]:
    return (
        str(programs / "initdb"),
        f"--pgdata={draft}",
        f"--username={OWNER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # Sorts by code point, on every machine and in every version.
        "--no-locale",
        "--no-instructions",
    )


async def _accepts(url: str) -> bool:
    try:
        connection = await psycopg.AsyncConnection.connect(
            url, connect_timeout=CONNECT_WITHIN_SECONDS
        )
    except psycopg.OperationalError:
        return False
    await connection.close()
    return True
