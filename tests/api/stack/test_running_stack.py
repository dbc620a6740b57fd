"""What a running stack offers, refuses and survives."""

import json
import os
import socket
import stat
from pathlib import Path
from signal import SIGKILL
from typing import Final
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from api.stack.environment import needed_by
from api.stack.errors import FolderInUse
from api.stack.ports import GRPC_OFFSET
from api.stack.seaweedfs import PARTS
from tests.api.stack.objects import get_object, put_object, s3_client
from tests.api.stack.running import (
    LIMIT_SECONDS,
    RunningStack,
    is_running,
    run_stack,
    running_in,
    wait_until,
)

# Not where the servers listen, and there on every machine.
ELSEWHERE: Final = "127.0.0.2"


def test_the_services_run_with_everything_that_they_need(running: RunningStack) -> None:
    seen = httpx.get(running.stack.url, timeout=LIMIT_SECONDS).json()
    needed = needed_by("api", running.stack.environ)
    assert {name: seen[name] for name in needed} == needed
    assert seen["APP_ENV"] == "development"
    assert seen["S3_BUCKET_NAME"] == "nova-photos"
    assert seen["S3_REGION"] == "us-east-1"
    assert len(seen["JWT_SECRET"]) >= 32
    assert seen["TMPDIR"] == str(running.stack.folder / "tmp")
    with psycopg.connect(seen["DATABASE_URL"]) as connection:
        assert connection.info.dbname == "nova"
    s3_client(seen).list_buckets()


def test_every_process_listens_on_the_loopback_interface_only(running: RunningStack) -> None:
    addresses = {
        connection.laddr[0]
        for pid in running.stack.pids.values()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_only_the_api_and_the_s3_gateway_open_to_the_network(folder: Path) -> None:
    with run_stack(folder, environ={"APP_HOST": ELSEWHERE}) as running:
        environ = running.stack.environ
        public_s3_url = environ["S3_PUBLIC_ENDPOINT_URL"]
        assert running.stack.public_url == f"http://{ELSEWHERE}:{environ['APP_PORT']}"
        assert environ["S3_ENDPOINT_URL"].startswith("http://127.0.0.1:")
        put_object(environ, bucket="private", key="a/photo", body=b"secret")
        signed = {**environ, "S3_ENDPOINT_URL": public_s3_url}
        assert get_object(signed, bucket="private", key="a/photo") == b"secret"
        anonymous = httpx.get(f"{public_s3_url}/private/a/photo", timeout=LIMIT_SECONDS)
        assert anonymous.status_code == 403
        opened = {int(environ["APP_PORT"]), urlsplit(public_s3_url).port}
        assert _open_ports(ELSEWHERE, _all_ports(folder)) == opened


def _all_ports(folder: Path) -> set[int]:
    ports = json.loads((folder / "ports.json").read_bytes()).values()
    return {*ports, *(port + GRPC_OFFSET for port in ports)}


def _open_ports(host: str, ports: set[int]) -> set[int]:
    found = set()
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(LIMIT_SECONDS)
            if probe.connect_ex((host, port)) == 0:
                found.add(port)
    return found


def test_postgres_asks_everybody_for_the_password(running: RunningStack) -> None:
    url = running.stack.environ["DATABASE_URL"]
    password = conninfo_to_dict(url)["password"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(str(password), "wrong"))


def test_the_secrets_are_readable_by_their_owner_only(running: RunningStack) -> None:
    mode = (running.stack.folder / "credentials.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_no_password_file_is_left_behind(running: RunningStack) -> None:
    assert not (running.stack.folder / "postgres.password").exists()


def test_an_object_is_kept_from_everybody_without_credentials(running: RunningStack) -> None:
    environ = running.stack.environ
    put_object(environ, bucket="private", key="a/photo", body=b"secret")
    answers = {
        path: {_status(port, path) for port in _seaweedfs_ports(running)}
        for path in ("/private/a/photo", "/buckets/private/a/photo", "/dir/assign")
    }
    assert all(statuses <= {400, 401, 403, 404} for statuses in answers.values()), answers
    anonymous = httpx.get(f"{environ['S3_ENDPOINT_URL']}/private/a/photo", timeout=LIMIT_SECONDS)
    assert anonymous.status_code == 403
    assert get_object(environ, bucket="private", key="a/photo") == b"secret"


def test_grpc_talks_to_nobody_without_the_certificate(running: RunningStack) -> None:
    settings_frame = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    for port in _seaweedfs_ports(running):
        with socket.create_connection(("127.0.0.1", port + GRPC_OFFSET), LIMIT_SECONDS) as plain:
            plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings_frame)
            try:
                answer = plain.recv(9)
            except ConnectionResetError:
                answer = b""
        assert answer[3:4] != b"\x04", f"port {port} speaks HTTP/2 in the clear"


def test_a_second_stack_on_the_same_folder_is_refused(running: RunningStack) -> None:
    with pytest.raises(FolderInUse) as refused, run_stack(running.stack.folder):
        pass
    assert refused.value.pid == os.getpid()
    assert str(running.stack.folder) in str(refused.value)


def test_data_and_secrets_survive_a_restart_beside_another_stack(
    running: RunningStack, folder: Path
) -> None:
    with run_stack(folder) as first:
        before = first.stack.environ
        assert before["JWT_SECRET"] != running.stack.environ["JWT_SECRET"]
        assert not set(first.stack.pids.values()) & set(running.stack.pids.values())
        put_object(before, bucket="photos", key="a", body=b"pixels")
        with psycopg.connect(
            first.stack.operators_environ["DATABASE_OWNER_URL"], autocommit=True
        ) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert len(running_in(folder)) >= 2
    assert not running_in(folder)
    with run_stack(folder) as second:
        assert second.stack.environ == before
        assert get_object(before, bucket="photos", key="a") == b"pixels"
        with psycopg.connect(second.stack.operators_environ["DATABASE_OWNER_URL"]) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert all(map(is_running, running.stack.pids.values()))


@pytest.mark.parametrize("name", ["postgres", "seaweedfs", "worker"])
def test_a_process_that_dies_is_restarted_and_said_so(running: RunningStack, name: str) -> None:
    before = running.stack.pids[name]
    os.kill(before, SIGKILL)
    wait_until(lambda: running.has_reported(name, "is running again"))
    assert running.has_reported(name, "exited (SIGKILL)", "Restarting in 0.5 s")
    assert running.stack.pids[name] != before


def test_what_was_stored_survived_the_deaths(running: RunningStack) -> None:
    assert get_object(running.stack.environ, bucket="private", key="a/photo") == b"secret"


def _seaweedfs_ports(running: RunningStack) -> list[int]:
    ports = json.loads((running.stack.folder / "ports.json").read_bytes())
    return [ports[part] for part in PARTS]


def _status(port: int, path: str) -> int:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=LIMIT_SECONDS).status_code
