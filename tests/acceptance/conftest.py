"""A real stack of processes, reached over HTTP, and generated pictures."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from api.stack.local import LocalStack
from tests.acceptance.app import App
from tests.acceptance.stacks import run_local_stack


@pytest.fixture(scope="package")
def stack() -> Iterator[LocalStack]:
    """The stack shared by all tests that do not break it."""
    with run_local_stack() as stack:
        yield stack


@pytest.fixture
def app(stack: LocalStack) -> Iterator[App]:
    """The app of a new user, on the stack."""
    with httpx.Client(base_url=stack.url, timeout=30) as http:
        yield App(http, secret=stack.environ["JWT_SECRET"])


@pytest.fixture(scope="session")
def photos(picture: Image.Image, jpeg: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one photo of each accepted type, and one that is damaged."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "phone.jpg").write_bytes(jpeg)
    picture.save(folder / "drawing.png")
    picture.save(folder / "web.webp", quality=95)
    (folder / "damaged.jpg").write_bytes(jpeg[: len(jpeg) * 2 // 3])
    (folder / "notes.txt").write_bytes(b"not a photo at all\n" * 10_000)
    return folder
