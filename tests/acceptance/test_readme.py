"""The README is true: every command in it is run here as it stands, or by CI itself."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.stack.ports import choose_ports
from tests.acceptance.commands import answers, bare_environ
from tests.api.stack.running import running_in, wait_until
from tests.servers import temporary_stack_folder

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DEMO, TEST, DEV, TOKEN, PUBLISH, RENDER = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a user stands; the stack's data come below it."""
    with temporary_stack_folder() as path:
        path.mkdir(mode=0o711)
        yield path


def user_environ(**more: str) -> dict[str, str]:
    """Somebody with uv and nothing of ours; the project is this one, as it is installed."""
    return {**bare_environ(), "UV_PROJECT": str(ROOT), "UV_NO_SYNC": "1", **more}


def shell(script: str, *, folder: Path, **environ: str) -> str:
    """What a script prints; it must succeed."""
    words = ["/bin/bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        words,
        cwd=folder,
        env=user_environ(**environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_command_publishes_a_12_megapixel_picture(folder: Path) -> None:
    assert "1 of 1 photos published" in shell(DEMO, folder=folder)
    assert not running_in(folder)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert TEST.strip() in (ROOT / ".ci" / "run").read_text().splitlines()


def test_an_app_developer_can_publish_a_photo_with_the_commands_of_the_readme(
    folder: Path, jpeg: bytes
) -> None:
    port = choose_ports(["dev"], folder.with_name("port.json"))["dev"]
    (folder / "photo.jpg").write_bytes(jpeg)
    dev = subprocess.Popen(
        ["/bin/bash", "-c", DEV],
        cwd=folder,
        env=user_environ(APP_PORT=str(port)),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: answers(port) or dev.poll() is not None)
        token_and_publish = (TOKEN + PUBLISH).replace(":8000/", f":{port}/")
        completed, post = shell(token_and_publish, folder=folder).replace("}{", "}\n{").split("\n")
        assert json.loads(completed)["status"] == "processing"
        assert json.loads(post)["id"] == json.loads(completed)["post_id"]
    finally:
        os.killpg(dev.pid, signal.SIGINT)
        dev.wait(60)
    wait_until(lambda: not running_in(folder))


def test_an_operator_can_render_a_photo_with_the_command_of_the_readme(
    folder: Path, jpeg: bytes
) -> None:
    (folder / "photo.jpg").write_bytes(jpeg)
    told = shell(RENDER, folder=folder)
    assert "image/jpeg" in told
    rendered = {path.name for path in (folder / "rendered" / "photo.jpg").iterdir()}
    assert rendered == {"original.jpg", "medium.jpg", "thumbnail.jpg"}


def test_every_recipe_that_the_readme_names_exists() -> None:
    recipes = shell("uv run just --list", folder=ROOT)
    for recipe in re.findall(r"uv run just ([\w-]+)", README):
        assert re.search(rf"^ +{recipe}\b", recipes, re.MULTILINE), recipe


def test_every_setting_and_verb_that_the_readme_names_exists() -> None:
    example = (ROOT / ".env.example").read_text()
    for name in re.findall(r"`([A-Z][A-Z0-9_]{5,})(?:=\w+)?`", README):
        assert f"\n{name}=" in example, name
    verbs = shell("uv run nova --help", folder=ROOT)
    for verb in re.findall(r"(?:uv run )?nova (\w+)", README):
        assert verb in verbs, verb
