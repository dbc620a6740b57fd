"""A deployment: processes on a given PostgreSQL and S3 that find each other through settings."""

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
from tests.acceptance.test_commands import answers, bare_environ, run_nova
from tests.stack.running import wait_until

SECRET = "a secret that the identity provider shares"


@pytest.fixture
def settings(empty_database_url: str, seaweedfs_server: S3Access, tmp_path: Path) -> dict[str, str]:
    """What an operator sets."""
    port = choose_ports(["api"], tmp_path / "ports.json")["api"]
    return {
        "APP_ENV": "production",
        "APP_PORT": str(port),
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
def deployment(settings: dict[str, str]) -> Iterator[int]:
    """Migrated, with one API and one projector and two workers; the API's port."""
    for expected in ("applied 0001.post-events", "0 migrations applied"):
        migrated = run_nova("migrate", **settings)
        assert migrated.returncode == 0, migrated.stderr
        assert expected in migrated.stdout
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "api", verb], env={**bare_environ(), **settings}
                )
            )
            for verb in ("api", "worker", "worker", "projector")
        ]
        wait_until(lambda: answers(int(settings["APP_PORT"])))
        yield int(settings["APP_PORT"])
        for process in processes:
            process.terminate()
        # uvicorn ends by the signal itself, once everything is answered and closed.
        assert {process.wait(20) for process in processes} <= {0, -signal.SIGTERM}


def test_processes_of_their_own_publish_behind_a_cdn_and_stop_when_they_are_told(
    deployment: int, jpeg: bytes
) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{deployment}", timeout=30) as http:
        app = App(http, secret=SECRET)
        posts = [app.wait_until_final(post_id) for post_id in [app.upload(jpeg) for _ in range(3)]]
        for post in posts:
            assert post["status"] == "published", post
            for image in post["images"].values():
                assert image["url"].startswith("https://cdn.example/variants/")
        path = posts[0]["images"]["medium"]["url"].removeprefix("https://cdn.example")
        assert http.get("/media" + path).status_code == 404
