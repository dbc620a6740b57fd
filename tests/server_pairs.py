"""A primary and a standby, both durable: tests kill the one and promote the other.

No supervisor restarts them, as nothing may restart a primary whose standby has been promoted.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, LiteralString

import psutil
import psycopg
from anyio import to_thread
from anyio.from_thread import start_blocking_portal
from psycopg.conninfo import make_conninfo

from api.migrate import migrate
from api.stack.account import postgres_account
from api.stack.child import Account
from api.stack.credentials import load_credentials
from api.stack.database import DATABASE
from api.stack.folder import locked_folder
from api.stack.ports import choose_ports
from api.stack.postgres import start_postgres
from api.stack.postgres_programs import find_programs
from api.stack.supervisor import supervision
from tests.api.stack.running import wait_until
from tests.servers import temporary_stack_folder

STOPPED_WITHIN_SECONDS: Final = 30
STREAMING: Final = """
SELECT count(*) FROM pg_stat_replication
WHERE state = 'streaming' AND sync_state = %s AND replay_lsn = pg_current_wal_flush_lsn()
"""
# A server waits with each commit until the standby has it on its disk; or else it does not.
NAMES: Final[dict[str, LiteralString]] = {"sync": "standby", "async": ""}


class Server:
    """One server, with its data folder and its port."""

    def __init__(self, data: Path, port: int, *, password: str) -> None:
        self.data = data
        self.port = port
        self.url = f"postgresql://nova:{password}@127.0.0.1:{port}/{DATABASE}"
        self._account = postgres_account()
        self._process: subprocess.Popen[Any] | None = None

    def start(self, **settings: str) -> None:
        """Start it, and wait until it answers."""
        network = {"listen_addresses": "127.0.0.1", "port": str(self.port)}
        every = {**network, "unix_socket_directories": "", "max_connections": "300", **settings}
        options = [word for name, value in every.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [_program("postgres"), "-D", str(self.data), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_as(self._account),
        )
        wait_until(self.answers)

    def follow(self, primary: "Server") -> None:
        """Become a standby of another server: copy it, start, and stream."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(self.data, self._account.uid, self._account.gid)
        copied = make_conninfo(primary.url, dbname=None)
        command = [_program("pg_basebackup"), "-D", str(self.data), "-d", copied]
        hurry = ["--checkpoint=fast", "--no-sync"]
        subprocess.run([*command, *hurry], check=True, capture_output=True, **_as(self._account))
        (self.data / "standby.signal").touch()
        self.start(
            primary_conninfo=make_conninfo(primary.url, application_name="standby"),
            wal_retrieve_retry_interval="100ms",
        )

    def promote(self) -> None:
        """Make it the primary; returns once it takes writes."""
        assert self.ask("SELECT pg_promote(wait => true)") is True

    def ask(self, query: LiteralString, *values: object) -> Any:
        """The first value of a query."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            found = connection.execute(query, values)
            row = found.fetchone() if found.description else None
        return row and row[0]

    def answers(self) -> bool:
        """Whether it takes connections."""
        with suppress(psycopg.OperationalError):
            return bool(self.ask("SELECT true"))
        return False

    def receiver(self) -> psutil.Process:
        """The process of a standby that receives the log of its primary."""
        [found] = [each for each in self._family() if "walreceiver" in "".join(each.cmdline())]
        return found

    def kill(self) -> None:
        """Kill it with all its processes, as a machine does that stops."""
        if self._process is None:
            return
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self._process.wait(STOPPED_WITHIN_SECONDS)
        self._process = None

    def _family(self) -> list[psutil.Process]:
        assert self._process is not None
        # The server is a child of nothing but us: no wrapper stands between.
        server = psutil.Process(self._process.pid)
        return [server, *server.children(recursive=True)]


class Pair:
    """Two servers, of which one follows the other."""

    def __init__(self, primary: Server, standby: Server, mode: str) -> None:
        self.primary = primary
        self.standby = standby
        self._mode = mode
        self._receiver: psutil.Process | None = None

    @property
    def is_synchronous(self) -> bool:
        """Whether the primary waits for the standby."""
        return bool(NAMES[self._mode])

    @property
    def url(self) -> str:
        """Leads to whichever of the two takes writes."""
        ports = sorted((self.primary.port, self.standby.port))
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        only = self.primary.url.replace(f"127.0.0.1:{self.primary.port}", hosts)
        return f"{only}?target_session_attrs=read-write"

    def join(self) -> None:
        """Let the standby follow the primary, which then waits for it, or does not."""
        self.standby.follow(self.primary)
        self.primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{NAMES[self._mode]}'")
        self.primary.ask("SELECT pg_reload_conf()")
        wait_until(lambda: self.primary.ask(STREAMING, self._mode) == 1)

    def cut_off(self) -> None:
        """Let nothing of the primary reach the standby from now on."""
        self._receiver = self.standby.receiver()
        self._receiver.suspend()

    def lose_primary(self) -> None:
        """Kill the primary."""
        if self._receiver is None:
            self.cut_off()
        self.primary.kill()
        # What is still in its socket is lost with the network; the standby starts again.
        assert self._receiver is not None
        self._receiver.kill()
        self._receiver.wait(STOPPED_WITHIN_SECONDS)
        self._receiver = None
        wait_until(self.standby.answers)

    def promote(self) -> None:
        """Promote the standby; it is the primary now, and alone."""
        # As Patroni does: alone, a primary must not wait for a standby that does not exist.
        self.standby.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary


@contextmanager
def run_pair(mode: str) -> Iterator[Pair]:
    """A primary with a migrated database, and its standby, `sync` or `async`."""
    with temporary_stack_folder() as path:
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(_created(path)) as password,
        ):
            pass
        ports = choose_ports(["one", "two"], path / "pair.json")
        one = Server(path / "postgres", ports["one"], password=password)
        two = Server(path / "standby", ports["two"], password=password)
        try:
            one.start()
            pair = Pair(one, two, mode)
            pair.join()
            yield pair
        finally:
            for server in (one, two):
                server.kill()


@asynccontextmanager
async def _created(path: Path) -> AsyncIterator[str]:
    """Create and migrate the database, not durably yet; the password of its owner."""
    with locked_folder(path) as folder:
        credentials = load_credentials(folder.credentials)
        async with supervision(report=print) as supervisor:
            access = await start_postgres(
                supervisor,
                folder,
                credentials=credentials,
                port=choose_ports(["postgres"], folder.ports)["postgres"],
                report=print,
                durable=False,
            )
            await to_thread.run_sync(migrate, access.owner_url)
            yield credentials.postgres_password


def _program(name: str) -> str:
    return str(find_programs() / name)


def _as(account: Account | None) -> dict[str, Any]:
    """How to run as another account: PostgreSQL does not run as root."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}
