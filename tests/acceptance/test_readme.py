"""The README is true: every command in it is run here, or by CI itself."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.stack.ports import choose_ports
from domain.recipes import RECIPES
from tests.acceptance.commands import answers, bare_environ
from tests.api.stack.running import running_in, wait_until
from tests.servers import temporary_stack_folder

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DEMO, DEMO_WITHOUT_UV, TEST, TEST_WITHOUT_UV, DEV, TOKEN, PUBLISH, RENDER = re.findall(
    r"```sh\n(.*?)```", README, re.DOTALL
)
TOOLS = ("uv", "just", "nova")
# What a machine needs to reach its package index.
INDEX_SETTINGS = ("PIP_", "SSL_", "HTTP_", "HTTPS_", "NO_PROXY", "http_", "https_", "no_proxy")


@pytest.fixture
def folder() -> Iterator[Path]:
    """The user's working directory; the stack stores its data below it."""
    with temporary_stack_folder() as path:
        path.mkdir(mode=0o711)
        yield path


def user_environ(**more: str) -> dict[str, str]:
    """The environment of a user who has uv; the project is this one, already installed."""
    # `uv run` names itself here: where pip brought it, it is not on the path.
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    path = f"{Path(uv).parent}:{os.environ['PATH']}"
    return {**bare_environ(), "PATH": path, "UV_PROJECT": str(ROOT), "UV_NO_SYNC": "1", **more}


def environ_without_uv(folder: Path) -> dict[str, str]:
    """The environment of a user who has Python and pip, and has never seen uv."""
    python = folder / "python"
    subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
    folders = os.environ["PATH"].split(":")
    rest = [path for path in folders if not any((Path(path) / name).exists() for name in TOOLS)]
    index = {name: os.environ[name] for name in os.environ if name.startswith(INDEX_SETTINGS)}
    return {**index, "PATH": ":".join([f"{python}/bin", *rest]), "HOME": str(folder)}


def shell(script: str, *, folder: Path, **environ: str) -> str:
    """Return what a script prints; it must succeed."""
    done = ended(script, folder=folder, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ended(script: str, *, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, which is the first command that fails."""
    words = ["/bin/bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(
        words,
        cwd=folder,
        env=user_environ(**environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_command_publishes_a_12_megapixel_picture(folder: Path) -> None:
    assert "1 of 1 photos published" in shell(DEMO, folder=folder)
    assert not running_in(folder)


def test_both_commands_work_on_a_machine_without_uv(folder: Path) -> None:
    environ = {**environ_without_uv(folder), "JUST_JUSTFILE": str(ROOT / "justfile")}
    pip = [str(folder / "python/bin/pip"), "install", "--quiet", "--dry-run", "uv"]
    if subprocess.run(pip, env=environ, check=False, timeout=60).returncode:
        pytest.skip("pip reaches no package index here")
    assert "1 of 1 photos published" in shell(DEMO_WITHOUT_UV, folder=folder, **environ)
    assert not running_in(folder)
    collect = f"{TEST_WITHOUT_UV.strip()} --collect-only --quiet tests/domain/test_post.py"
    assert "tests collected" in shell(collect, folder=folder, **environ)


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
        assert json.loads(post)["status"] == "published"
        with_wrong_token = "TOKEN=none\n" + PUBLISH.replace(":8000/", f":{port}/")
        refused = ended(with_wrong_token, folder=folder)
        assert refused.returncode != 0
        assert '"status":401' in refused.stdout
        assert "Traceback" not in refused.stderr
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
    assert rendered == {f"{recipe.variant}.jpg" for recipe in RECIPES}


def test_every_recipe_that_the_readme_names_exists() -> None:
    recipes = shell("uv run just --list", folder=ROOT)
    for recipe in re.findall(r"uv run just ([\w-]+)", README):
        assert re.search(rf"^ +{recipe}\b", recipes, re.MULTILINE), recipe


def test_every_setting_that_the_readme_names_exists() -> None:
    example = (ROOT / ".env.example").read_text()
    for name in re.findall(r"`([A-Z][A-Z0-9_]{5,})(?:=\w+)?`", README):
        assert f"\n{name}=" in example, name


def test_every_command_that_a_document_names_exists() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    named = set(re.findall(r"\bnova ([a-z]+)(?: ([a-z]+))?", "".join(map(Path.read_text, pages))))
    helped = {verb: verbs_of(verb) for verb in ("audit", "jobs", "projections", "uploads")}
    for verb, second in named:
        if second and verb in helped:
            assert second in helped[verb], f"nova {verb} {second}"
    assert {verb for verb, _ in named} <= verbs_of()


def verbs_of(*group: str) -> set[str]:
    """The verbs of `nova`, or of a group of them, as its help lists them."""
    listed = shell(f"uv run nova {' '.join(group)} --help", folder=ROOT)
    return set(re.findall(r"^\W+([a-z]+) ", listed, re.MULTILINE))
