"""The whole stack on one machine: embedded servers where needed, then the services."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from api.stack import addresses, environment
from api.stack.addresses import LOOPBACK
from api.stack.child import Child, run_to_end
from api.stack.credentials import load_credentials
from api.stack.database import SERVICES as SERVICES_ROLE
from api.stack.errors import StackError
from api.stack.folder import StackFolder, locked_folder
from api.stack.ports import choose_ports, require_free
from api.stack.postgres import start_postgres
from api.stack.probe import succeeds
from api.stack.relay import relay
from api.stack.running import shared_environ
from api.stack.seaweedfs import PARTS, start_seaweedfs
from api.stack.supervisor import Report, Supervisor, supervision, unwrap_single_error
from domain.settings import WrongSettings

SERVICES: Final[Mapping[str, Sequence[str]]] = {
    name: (sys.executable, "-m", "api", name) for name in ("api", "worker", "projector")
}
MIGRATE: Final[Sequence[str]] = (sys.executable, "-m", "api", "migrate")
MIGRATE_WITHIN_SECONDS: Final = 600
SERVICES_READY_WITHIN_SECONDS: Final = 60
_SERVICES_STAGE: Final = 1
_PORTS: Final = range(1, 65_536)


class LocalStack:
    """A running stack."""

    def __init__(
        self,
        supervisor: Supervisor,
        *,
        folder: StackFolder,
        environ: Mapping[str, str],
        operators_environ: Mapping[str, str],
        url: str,
        metrics_ports: Mapping[str, int],
    ) -> None:
        self.folder = folder.path
        # What the services get, and what the commands of operators need.
        self.environ = environ
        self.operators_environ = operators_environ
        self.url = url
        self._logs = folder.log
        self.metrics_ports = metrics_ports
        self._supervisor = supervisor

    @property
    def pids(self) -> dict[str, int]:
        """The ids of the running processes, by name."""
        return self._supervisor.pids

    @property
    def public_url(self) -> str | None:
        """Where other devices reach the API; None if only this machine can."""
        return self.environ.get("PUBLIC_URL")

    @property
    def metrics_urls(self) -> dict[str, str]:
        """The metrics endpoint of each service, by name."""
        ports = self.metrics_ports.items()
        return {name: f"http://{LOOPBACK}:{port}/metrics" for name, port in ports}

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self._logs(name)

    async def wait_fatal(self) -> StackError:
        """Wait, without a timeout, until a process keeps crashing; returns the error to show."""
        return await self._supervisor.wait_fatal()


@asynccontextmanager
async def local_stack(
    *,
    folder: Path,
    port: int | None,
    environ: Mapping[str, str],
    report: Report,
    services: Mapping[str, Sequence[str]] = SERVICES,
    migrate: Sequence[str] = MIGRATE,
) -> AsyncIterator[LocalStack]:
    """Run the services, and every server that `environ` does not provide, until the block ends.

    On leaving the block, all processes are stopped within 10 seconds, even when cancelled. `report`
    receives messages for people, from the event loop. A `port` of None means APP_PORT, or else a
    free one.

    Raises:
        StackError: it did not start; what had started is stopped again.
        WrongSettings: APP_ENV, APP_HOST, APP_PORT or PUBLIC_URL is wrong.
    """
    given = environment.drop_unset(environ)
    environment.check_environ(given)
    with locked_folder(folder) as private:
        app_port = _choose_app_port(port, private, given=given)
        public_url = addresses.public_url(given, port=app_port)
        async with supervision(report=report) as supervisor:
            servers = await _start_servers(supervisor, private, given=given, report=report)
            async with _opened_store(servers, private, given=given, public_url=public_url):
                variables = environment.services_environ(
                    given,
                    servers=servers,
                    credentials=load_credentials(private.credentials),
                    port=app_port,
                    public_url=public_url,
                    temporary=private.temporary,
                )
                operators = variables | environment.owner_environ(given, servers)
                grants = ("--grant", SERVICES_ROLE) if servers.database else ()
                await _migrate((*migrate, *grants), private, environ=operators)
                stack = _stack(
                    supervisor,
                    private,
                    environ=variables,
                    operators_environ=operators,
                    services=services,
                )
                await _start_services(stack, supervisor, services)
                with shared_environ(private, operators):
                    yield stack


def _choose_app_port(port: int | None, folder: StackFolder, *, given: Mapping[str, str]) -> int:
    wanted = port if port is not None else _given_port(given)
    if wanted is None:
        return choose_ports(["api"], folder.ports)["api"]
    require_free(wanted, host=given.get("APP_HOST", LOOPBACK))
    return wanted


def _given_port(given: Mapping[str, str]) -> int | None:
    text = given.get("APP_PORT")
    if text is None:
        return None
    if not text.isdecimal() or int(text) not in _PORTS:
        raise WrongSettings([f"APP_PORT is wrong: {text!r} is not a port"])
    return int(text)


async def _start_servers(
    supervisor: Supervisor, folder: StackFolder, *, given: Mapping[str, str], report: Report
) -> environment.EmbeddedServers:
    """Start the embedded servers that are needed, in parallel."""
    credentials = load_credentials(folder.credentials)
    ports = choose_ports(["postgres", *PARTS], folder.ports)
    servers = environment.EmbeddedServers()

    async def postgres() -> None:
        servers.database = await start_postgres(
            supervisor, folder, credentials=credentials, port=ports["postgres"], report=report
        )

    async def seaweedfs() -> None:
        servers.s3 = await start_seaweedfs(supervisor, folder, credentials=credentials, ports=ports)

    with unwrap_single_error():
        async with anyio.create_task_group() as starting:
            if environment.wants_postgres(given):
                starting.start_soon(postgres)
            if environment.wants_seaweedfs(given):
                starting.start_soon(seaweedfs)
    return servers


@asynccontextmanager
async def _opened_store(
    servers: environment.EmbeddedServers,
    folder: StackFolder,
    *,
    given: Mapping[str, str],
    public_url: str | None,
) -> AsyncIterator[None]:
    """Open the embedded store to where the API listens, so that presigned URLs lead there."""
    if servers.s3 is None or public_url is None or not addresses.is_open(given):
        yield
        return
    host = given["APP_HOST"]
    port = choose_ports(["s3-public"], folder.ports, host=host)["s3-public"]
    servers.public_s3_url = f"http://{addresses.host_of(public_url)}:{port}"
    async with relay(host=host, port=port, to_port=servers.s3.port):
        yield


def _stack(
    supervisor: Supervisor,
    folder: StackFolder,
    *,
    environ: Mapping[str, str],
    operators_environ: Mapping[str, str],
    services: Mapping[str, Sequence[str]],
) -> LocalStack:
    ports = choose_ports([f"metrics-{name}" for name in services], folder.ports)
    host = addresses.reachable_host(environ["APP_HOST"])
    return LocalStack(
        supervisor,
        folder=folder,
        environ=environ,
        operators_environ=operators_environ,
        url=f"http://{host}:{environ['APP_PORT']}",
        metrics_ports={name: ports[f"metrics-{name}"] for name in services},
    )


async def _migrate(
    command: Sequence[str], folder: StackFolder, *, environ: Mapping[str, str]
) -> None:
    child = Child(
        name="migrate",
        argv=tuple(command),
        environ=environment.needed_by("migrate", environ),
        log=folder.log("migrate"),
    )
    await run_to_end(child, within_seconds=MIGRATE_WITHIN_SECONDS)


async def _start_services(
    stack: LocalStack, supervisor: Supervisor, services: Mapping[str, Sequence[str]]
) -> None:
    children = [
        Child(
            name=name,
            argv=tuple(command),
            environ=environment.needed_by(name, stack.environ)
            | {"METRICS_PORT": str(stack.metrics_ports[name])},
            log=stack.log(name),
            # Photos may be announced before the others are ready.
            is_ready=partial(succeeds, f"{stack.url}/api/v1/health/ready")
            if name == "api"
            else None,
            ready_within_seconds=SERVICES_READY_WITHIN_SECONDS,
        )
        for name, command in services.items()
    ]
    await supervisor.start(*children, stage=_SERVICES_STAGE)
