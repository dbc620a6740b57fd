"""Confinement: what code that took over a decoder can do in an image process: nothing."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from tests.transcoder.processes.running import image_processes
from transcoder.processes.confinement import NOBODY
from transcoder.processes.image_process import ImageProcess
from transcoder.processes.messages import Ready
from transcoder.processes.pool import RenderPool
from transcoder.rendering import Limits

SECRET: Final = "a-secret-in-the-environment"
KEPT: Final = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "GLIBC_TUNABLES"}
# What Landlock refuses by itself, whatever the system call.
BY_LANDLOCK: Final = {
    "read the environment of a process", "read the memory of a process", "read a file",
    "list a folder", "write a file", "create a file", "create a folder", "remove a file",
    "connect by TCP", "listen", "run a program", "signal a process", "call ptrace",
}  # fmt: skip
# What some distributions refuse even without defences of ours.
UNTIL_YAMA: Final = {"read the memory of a process", "call ptrace", "call process_vm_readv"}
# Any refused system call ends the process: the libraries of rendering must not even try one.
STRICT: Final = """
import seccompy
from domain.formats import sniff
from tests.transcoder import pictures
from transcoder.processes import confinement, renderer, seccomp
from transcoder.rendering import Limits

seccomp._REFUSED = seccompy.Action.KILL_PROCESS
limits = Limits(deadline_seconds=300)
photos = [
    pictures.jpeg(pictures.noise(3000, 2000), progressive=True),
    pictures.oriented(6),
    pictures.talkative(),
    pictures.png(pictures.half_transparent()),
    pictures.deep_png(pictures.corners()),
    pictures.interlaced_png(pictures.corners()),
    pictures.webp(),
    pictures.webp(pictures.half_transparent(), lossless=True),
    pictures.heic(pictures.noise(1500, 1000)),
    pictures.deep_grey_heic(pictures.corners()),
    pictures.avif(pictures.noise(1500, 1000)),
    pictures.jpeg(pictures.noise(1000, 1000))[:9000],
]
renderer.prepare(limits)
confinement.confine()
for photo in photos:
    try:
        renderer.render_in_sandbox(photo, sniff(photo), limits)
    except renderer.TranscoderError as failure:
        print(failure.code)
print("done")
"""


@pytest.fixture(scope="module")
def victim() -> Iterator[int]:
    """A process of the same user, with a secret in its environment."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], env={"SECRET": SECRET}, stdin=subprocess.PIPE
    ) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def targets(victim: int, tmp_path: Path) -> Iterator[str]:
    """What the attacks aim at, as JSON."""
    for name in ("file", "removable"):
        (tmp_path / name).write_text("content")
    unix_socket = str(tmp_path / "socket")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
    ):
        local.bind(unix_socket)
        local.listen()
        yield json.dumps(
            {
                "victim": victim,
                "port": server.getsockname()[1],
                "unix_socket": unix_socket,
                "folder": str(tmp_path),
            }
        )


def attacked(mode: str, targets: str) -> dict[str, Any]:
    """How each attack ended against the defences."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.transcoder.processes.attacks", mode, targets],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_attack_would_succeed_without_defences(targets: str) -> None:
    outcomes = attacked("none", targets)["outcomes"]
    assert outcomes["call execve"] == "ENOENT"
    refused = {name for name, outcome in outcomes.items() if outcome in {"EPERM", "EACCES"}}
    assert refused <= UNTIL_YAMA


def test_no_attack_succeeds_in_an_image_process_and_photos_are_still_rendered(
    targets: str,
) -> None:
    found = attacked("all", targets)
    assert set(found["outcomes"].values()) == {"EPERM"}
    assert found["missing"] == []
    assert found["rendered_width"] == 240


def test_seccomp_alone_refuses_every_attack(targets: str) -> None:
    found = attacked("seccomp", targets)
    assert set(found["outcomes"].values()) == {"EPERM"}
    assert found["missing"] == ["landlock"]


def test_landlock_alone_refuses_files_processes_and_tcp(targets: str) -> None:
    found = attacked("landlock", targets)
    refused = {name for name, end in found["outcomes"].items() if end in {"EPERM", "EACCES"}}
    assert refused >= BY_LANDLOCK
    assert found["missing"] == ["seccomp"]


def test_rendering_makes_no_system_call_that_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STRICT],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.split() == ["corrupt_image", "done"]


@pytest.mark.anyio
async def test_every_thread_of_a_warm_process_is_confined() -> None:
    pool = RenderPool(size=1, limits=Limits())
    await pool.warm()
    (process,) = image_processes()
    for facts in facts_of_threads(process.pid):
        assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
        if os.geteuid() == 0:
            assert {*facts["Uid"].split(), *facts["Gid"].split()} == {str(NOBODY)}
            assert facts["Groups"].split() == []


def facts_of_threads(pid: int) -> list[dict[str, str]]:
    """What the kernel says of each thread of a process."""
    return [
        dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        for status in Path(f"/proc/{pid}/task").glob("*/status")
    ]


@pytest.mark.anyio
async def test_a_pool_says_once_which_defences_the_machine_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def exchange(*_: object) -> Ready:
        return Ready(("landlock",))

    monkeypatch.setattr(ImageProcess, "_exchange", exchange)
    with capture_logs() as lines:
        await RenderPool(size=2, limits=Limits()).warm()
    (line,) = lines
    assert (line["event"], line["missing"]) == ("image_process_defences_missing", ("landlock",))


@pytest.mark.anyio
async def test_an_image_process_is_started_without_any_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_TOKEN", SECRET)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nova:{SECRET}@127.0.0.1/nova")
    pool = RenderPool(size=1, limits=Limits())
    await pool.warm()
    (process,) = image_processes()
    # Root may read it; the process cannot, though its memory holds what it was started with.
    environment = process.environ()
    assert environment.keys() <= {*KEPT, "PYTHONPATH"} | {
        name for name in environment if name.startswith(("OPENBLAS_", "MALLOC_"))
    }
    assert SECRET not in str(environment)


@pytest.mark.anyio
async def test_an_image_process_writes_to_no_log_once_it_is_warm() -> None:
    pool = RenderPool(size=1, limits=Limits())
    await pool.warm()
    (process,) = image_processes()
    open_files = {name: descriptor(process.pid, name) for name in ("0", "1", "2")}
    assert open_files["1"] == open_files["2"] == os.devnull


def descriptor(pid: int, name: str) -> str:
    """What a descriptor of the process leads to."""
    return str(Path(f"/proc/{pid}/fd/{name}").readlink())
