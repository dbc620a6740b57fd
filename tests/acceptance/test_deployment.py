"""A deployment: processes that share a PostgreSQL and an S3 store given by settings."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from api.stack.ports import choose_ports
from api.stack.seaweedfs import S3Access
from tests.acceptance.app import App
from tests.acceptance.commands import answers, bare_environ, run_nova
from tests.api.stack.running import wait_until

SECRET = "a secret that the identity provider shares"


@pytest.fixture
def settings(empty_database_url: str, seaweedfs_server: S3Access) -> dict[str, str]:
    """The settings of an operator."""
    return {
        "APP_ENV": "production",
        "DATABASE_URL": empty_database_url,
        "S3_BUCKET_NAME": "deployed-photos",
        "S3_ENDPOINT_URL": seaweedfs_server.endpoint_url,
        "AWS_ACCESS_KEY_ID": seaweedfs_server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": seaweedfs_server.secret_access_key,
        "CLOUDFRONT_URL": "https://cdn.example/",
        "JWT_SECRET": SECRET,
        "WORKER_CONCURRENCY": "1",
    }


@pytest.fixture
def deployment(settings: dict[str, str], tmp_path: Path) -> Iterator[list[int]]:
    """Two APIs, three workers and two projectors on a migrated database; the ports of the APIs."""
    ports = list(choose_ports(["one", "other"], tmp_path / "ports.json").values())
    for expected in ("applied 0001.event-log", "0 migrations, 0 functions applied"):
        migrated = run_nova("migrate", **settings)
        assert migrated.returncode == 0, migrated.stderr
        assert expected in migrated.stdout
    with ExitStack() as running:
        environ = {**bare_environ(), **settings}
        apis = [("api", {**environ, "APP_PORT": str(port)}) for port in ports]
        others = [(verb, environ) for verb in (*["worker"] * 3, *["projector"] * 2)]
        processes = [
            running.enter_context(subprocess.Popen([sys.executable, "-m", "api", verb], env=env))
            for verb, env in (*apis, *others)
        ]
        wait_until(lambda: all(map(answers, ports)))
        yield ports
        for process in processes:
            process.terminate()
        # uvicorn re-raises the signal after a clean shutdown.
        assert {process.wait(20) for process in processes} <= {0, -signal.SIGTERM}


def test_processes_of_their_own_publish_behind_a_cdn_and_stop_when_they_are_told(
    deployment: list[int], jpeg: bytes
) -> None:
    one, other = (f"http://127.0.0.1:{port}" for port in deployment)
    with httpx.Client(base_url=one, timeout=30) as http, httpx.Client(base_url=other) as elsewhere:
        app = App(http, secret=SECRET)
        same_user = App(elsewhere, secret=SECRET, user_id=app.user_id)
        # Each API reads what the other one wrote.
        uploaded = [each.upload(jpeg) for each in (app, same_user) * 3]
        posts = [same_user.wait_until_final(post_id) for post_id in uploaded]
        for post in posts:
            assert post["status"] == "published", post
            for image in post["images"].values():
                assert image["url"].startswith("https://cdn.example/variants/")
        path = posts[0]["images"]["medium"]["url"].removeprefix("https://cdn.example")
        assert http.get("/media" + path).status_code == 404
