"""`nova dev`, `demo`, `token` and `render` as processes, and their errors."""

import hashlib
import json
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from api.stack.ports import choose_ports
from domain.recipes import RECIPES
from tests.acceptance.app import App
from tests.acceptance.commands import NOVA, answers, bare_environ, run_nova
from tests.api.stack.running import running_in, wait_until
from tests.servers import temporary_stack_folder

EVERY_KIND_OF_COMMAND = (
    ("jobs", "list"),
    ("projections", "verify"),
    ("audit", "stats"),
    ("audit", "verify"),
    ("audit", "media", "--only-stored"),
    ("reprocess",),
    ("janitor", "--dry-run"),
    ("uploads", "adopt", "--dry-run"),
    ("migrate",),
)
SHARED_PHOTOS = Path(__file__).parents[3] / "shared" / "photos"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A path for a stack's folder."""
    with temporary_stack_folder() as path:
        yield path


@contextmanager
def nova_dev(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`nova dev` when it is ready; killed if the test leaves it running."""
    words = [*NOVA, "dev", "--port", str(port), "--data", str(folder)]
    environ = {**bare_environ(), "WORKER_CONCURRENCY": "1"}
    process = subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None)
        yield process
    finally:
        process.kill()
        process.communicate()
        wait_until(lambda: not running_in(folder))


def test_the_demo_publishes_every_good_photo_and_saves_its_variants(
    folder: Path, photos: Path
) -> None:
    good = [photos / name for name in ("phone.jpg", "drawing.png", "web.webp")]
    bad = [photos / name for name in ("damaged.jpg", "notes.txt")]
    shown = run_nova("demo", "--data", folder, *bad, *good, WORKER_CONCURRENCY="1")
    assert shown.returncode == 1
    assert "3 of 5 photos published" in shown.stdout, shown.stdout + shown.stderr
    assert shown.stdout.count("post.variant_ready") == 3 * len(RECIPES)
    assert shown.stdout.count("s after complete") == 3
    saved = sorted(folder.glob("demo/*/*/*/*.jpg"))
    assert len(saved) == 3 * len(RECIPES)
    for recipe in RECIPES:
        for path in (path for path in saved if path.stem == recipe.variant):
            assert str(path.parents[2]) in shown.stdout
            assert path.stat().st_size <= recipe.max_bytes
            with Image.open(path) as picture:
                assert max(picture.size) <= max(recipe.max_width, recipe.max_height)
    assert "This photo is damaged" in shown.stdout
    assert "Unsupported content type" in shown.stdout
    assert "Traceback" not in shown.stdout + shown.stderr
    assert not running_in(folder)


@pytest.mark.skipif(not SHARED_PHOTOS.is_dir(), reason="the shared photos are not here")
def test_the_demo_publishes_real_photos_and_says_which_one_is_damaged(folder: Path) -> None:
    damaged = SHARED_PHOTOS / "damaged-must-fail.jpg"
    good = [
        path
        for path in sorted(SHARED_PHOTOS.iterdir())
        if path.suffix in {".jpg", ".png", ".webp", ".heic"} and path != damaged
    ]
    shown = run_nova("demo", "--data", folder, *good, damaged)
    assert f"{len(good)} of {len(good) + 1} photos published" in shown.stdout, shown.stdout
    assert "This photo is damaged" in shown.stdout
    assert shown.returncode == 1


def test_render_tells_machines_everything_about_each_photo(folder: Path, photos: Path) -> None:
    names = ("phone.jpg", "damaged.jpg", "notes.txt")
    out = folder.with_name("rendered")
    done = run_nova("render", *(photos / name for name in names), "--out", out, "--json")
    lines = {Path(line["photo"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    assert set(lines) == set(names)
    phone = lines["phone.jpg"]
    assert [variant["variant"] for variant in phone["variants"]] == [
        "original",
        "medium",
        "thumbnail",
    ]
    for variant in phone["variants"]:
        content = Path(variant["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == variant["sha256"]
        assert len(content) == variant["file_size"]
        assert variant["removed_metadata"] == ["exif", "gps"]
    assert {"decode", "orient", "encode original"} <= set(phone["step_milliseconds"])
    assert lines["damaged.jpg"]["code"] == "corrupt_image"
    assert lines["notes.txt"]["code"] == "not_an_image"
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_render_says_when_it_cannot_write(photos: Path) -> None:
    out = photos / "notes.txt"
    done = run_nova("render", photos / "phone.jpg", "--out", out)
    assert done.returncode == 1
    assert "notes.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_dev_runs_keeps_its_data_and_stops_in_order(folder: Path, jpeg: bytes) -> None:
    port = choose_ports(["dev"], folder.with_name("port.json"))["dev"]
    with nova_dev(folder, port) as process:
        token = run_nova(
            "token", "--user", "5f3759df-0000-4000-8000-000000000001", "--data", folder
        ).stdout.strip()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            app = App(http, secret="replaced by the token of the command line")
            app.token = token
            post = app.wait_until_final(app.upload(jpeg))
            assert post["status"] == "published"
        for words in EVERY_KIND_OF_COMMAND:
            done = run_nova(*words, "--data", folder)
            assert done.returncode == 0, (words, done.stdout, done.stderr)
        exported = run_nova("env", "--data", folder).stdout
        in_shell = f"{exported}\n{shlex.join(NOVA)} jobs list"
        subprocess.run(
            ["/bin/sh", "-ec", in_shell], env=bare_environ(), cwd="/", check=True, timeout=60
        )
        second = run_nova("dev", "--port", str(port + 1), "--data", folder)
        assert second.returncode == 1
        assert "Another stack uses" in second.stderr
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        for told in (
            f"http://127.0.0.1:{port}/api/v1",
            f"{port}/docs",
            f"nova token --data {folder}",
        ):
            assert told in said
        assert not running_in(folder)
    with (
        nova_dev(folder, port),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
    ):
        app = App(http, secret="replaced by the token of the command line")
        app.token = token
        assert app.ask("GET", f"/posts/{post['id']}").json() == post
        # The store lists buckets a moment before it serves objects.
        wait_until(lambda: http.get(post["images"]["medium"]["url"]).status_code == 200)


def test_a_demo_that_is_interrupted_while_it_starts_leaves_nothing_behind(folder: Path) -> None:
    words = [*NOVA, "demo", "--data", str(folder)]
    process = subprocess.Popen(words, env=bare_environ(), stderr=subprocess.PIPE, text=True)
    wait_until((folder / "logs").exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not running_in(folder)


@pytest.mark.parametrize("verb", ["api", "worker", "projector", "migrate"])
def test_a_process_without_its_settings_names_each_that_is_missing(verb: str) -> None:
    said = run_nova(verb)
    assert said.returncode == 2
    assert "DATABASE_URL is not set" in said.stderr
    if verb != "projector":
        assert "S3_BUCKET_NAME is not set" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("verb", ["dev", "demo"])
def test_in_production_nothing_is_embedded_and_what_is_missing_is_named(
    verb: str, folder: Path
) -> None:
    said = run_nova(verb, "--data", folder, APP_ENV="production")
    assert said.returncode == 1
    for name in ("DATABASE_URL", "S3_BUCKET_NAME", "CLOUDFRONT_URL", "JWT_SECRET"):
        assert name in said.stderr
    assert "Starting" not in said.stdout
    assert not running_in(folder)


def test_an_environment_that_does_not_exist_is_named(folder: Path) -> None:
    said = run_nova("dev", "--data", folder, APP_ENV="Production")
    assert said.returncode == 2
    assert "APP_ENV is wrong" in said.stderr


def test_wrong_words_are_explained() -> None:
    assert "Usage" in run_nova("--help").stdout
    for words in (
        ["nothing"],
        ["token", "--nothing"],
        ["token", "--user", "me"],
        ["demo", "/no/such.jpg"],
    ):
        said = run_nova(*words)
        assert said.returncode == 2
        assert "Traceback" not in said.stderr


@pytest.mark.parametrize("verb", ["worker", "migrate"])
def test_a_process_whose_database_does_not_answer_says_so_without_a_traceback(verb: str) -> None:
    said = run_nova(
        verb, DATABASE_URL="postgresql://nova@127.0.0.1:9/nova", S3_BUCKET_NAME="photos"
    )
    assert said.returncode == 1
    assert "database unavailable" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("verb", ["api", "worker", "projector", "migrate", "audit stats"])
def test_a_wrong_database_url_is_one_sentence_that_shows_no_password(verb: str) -> None:
    given = {"S3_BUCKET_NAME": "photos", "JWT_SECRET": "s" * 32}
    said = run_nova(*verb.split(), DATABASE_URL="postgresq://nova:hunter2@host/db", **given)
    assert said.returncode == 2
    assert said.stderr.startswith("nova: DATABASE_URL is wrong: use postgresql://")
    assert said.stderr.count("\n") == 1
    assert "hunter2" not in said.stdout + said.stderr
