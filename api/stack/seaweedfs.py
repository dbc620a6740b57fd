"""The embedded S3 store: SeaweedFS in one process, on loopback, closed without credentials.

Its parts also serve HTTP and gRPC, by default to every user of the machine: an anonymous GET on the
filer reads private objects, a DELETE there or over gRPC removes them. So HTTP is off where possible
and requires signed tokens elsewhere, and gRPC requires a client certificate of this run.
"""

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Final

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as AwsCredentials
from msgspec import Struct

from api.stack.addresses import LOOPBACK
from api.stack.certificate import Certificate, create_certificate
from api.stack.child import Child
from api.stack.credentials import Credentials
from api.stack.errors import INSTALL_LOCAL, ServersUnavailable
from api.stack.folder import StackFolder
from api.stack.ports import GRPC_OFFSET
from api.stack.probe import succeeds
from api.stack.supervisor import Supervisor

REGION: Final = "us-east-1"
PARTS: Final = ("s3", "filer", "volume", "master", "admin")
_GRPC_PARTS: Final = ("MASTER", "VOLUME", "FILER", "S3", "ADMIN", "WORKER", "CLIENT")
READY_WITHIN_SECONDS: Final = 60


class S3Access(Struct, frozen=True, kw_only=True):
    """The address of the store on loopback, and its credentials."""

    port: int
    access_key_id: str
    secret_access_key: str

    @property
    def endpoint_url(self) -> str:
        """The endpoint of the S3 API."""
        return f"http://{LOOPBACK}:{self.port}"


async def start_seaweedfs(
    supervisor: Supervisor,
    folder: StackFolder,
    *,
    credentials: Credentials,
    ports: dict[str, int],
) -> S3Access:
    """Start the store on `ports`, one for each of PARTS (and the one GRPC_OFFSET above each).

    Raises:
        StackError: it cannot run here, or did not start.
    """
    access = S3Access(
        port=ports["s3"],
        access_key_id=credentials.s3_access_key_id,
        secret_access_key=credentials.s3_secret_access_key,
    )
    child = Child(
        name="seaweedfs",
        argv=_argv(ports),
        environ=_environ(folder, credentials) | _grpc_environ(create_certificate(folder.temporary)),
        log=folder.log("seaweedfs"),
        folder=folder.seaweedfs,
        # Usually 2 s, but 9 s when its parts wait for each other. Killing it loses nothing,
        # because it writes objects and index straight to their files.
        stop_within_seconds=3.5,
        is_ready=partial(_answers, access),
        ready_within_seconds=READY_WITHIN_SECONDS,
        leftovers=tuple(_grpc_socket(part, ports[part]) for part in PARTS),
    )
    await supervisor.start(child, stage=0)
    return access


def _argv(ports: dict[str, int]) -> tuple[str, ...]:
    return (
        str(_program()),
        "-logtostderr=true",
        "mini",
        # Relative to the folder of the child: the path of a unix socket must be short.
        "-dir=.",
        "-s3.localSocket=s3.sock",
        "-filer.localSocket=filer.sock",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",
        *(f"-{part}.port={ports[part]}" for part in PARTS),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-disableHttp",
        "-admin.ui=false",
        "-webdav=false",
        "-master.telemetry=false",
        # A misspelt bucket is an error, as on AWS.
        "-s3.autoCreateBucket=false",
    )


def _environ(folder: StackFolder, credentials: Credentials) -> dict[str, str]:
    key = credentials.seaweedfs_signing_key
    return {
        "HOME": str(folder.seaweedfs),
        "TMPDIR": str(folder.temporary),
        "AWS_ACCESS_KEY_ID": credentials.s3_access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.s3_secret_access_key,
        "WEED_JWT_SIGNING_KEY": key,
        "WEED_JWT_SIGNING_READ_KEY": key,
        "WEED_JWT_FILER_SIGNING_KEY": key,
        "WEED_JWT_FILER_SIGNING_READ_KEY": key,
    }


def _grpc_environ(certificate: Certificate) -> dict[str, str]:
    environ = {"WEED_GRPC_CA": str(certificate.authority)}
    for part in _GRPC_PARTS:
        environ[f"WEED_GRPC_{part}_CERT"] = str(certificate.certificate)
        environ[f"WEED_GRPC_{part}_KEY"] = str(certificate.key)
    return environ


def _program() -> Path:
    beside = Path(sys.executable).with_name("weed")
    found = beside if beside.is_file() else shutil.which("weed")
    if found is None:
        raise ServersUnavailable("S3 store", reason=INSTALL_LOCAL, variable="S3_ENDPOINT_URL")
    return Path(found)


def _grpc_socket(part: str, port: int) -> Path:
    # Hard-coded in the program; only its owner can connect.
    return Path("/tmp") / f"seaweedfs-{part}-grpc-{port + GRPC_OFFSET}.sock"  # noqa: S108


async def _answers(access: S3Access) -> bool:
    """Whether a signed listing of the buckets succeeds, which involves all parts."""
    return await succeeds(f"{access.endpoint_url}/", _signed_headers(access))


def _signed_headers(access: S3Access) -> dict[str, str]:
    """The headers of a signed `GET /`."""
    request = AWSRequest(method="GET", url=f"{access.endpoint_url}/")
    keys = AwsCredentials(access.access_key_id, access.secret_access_key)
    S3SigV4Auth(keys, "s3", REGION).add_auth(request)
    return dict(request.headers.items())
