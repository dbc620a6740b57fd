"""docs/clients.md: its JavaScript publishes photos from Chromium, through connections that break.

Uppy and its plugin @uppy/aws-s3 are those of npm.
"""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from api.stack.local import LocalStack
from tests.acceptance.app import App
from tests.acceptance.stacks import run_local_stack
from tests.clients.chromium import Chromium, unpack_chromium
from tests.clients.cut_connections import Cuts, CuttingProxy
from tests.clients.pages import Reported, serve_pages
from tests.faults.faulty_store import run_proxy

HERE: Final = Path(__file__).parent
DOCUMENT: Final = (HERE.parents[1] / "docs" / "clients.md").read_text()
UPLOADER, PARTS = re.findall(r"```js\n(.*?)```", DOCUMENT, re.DOTALL)
BUNDLE_WITHIN_SECONDS: Final = 60
UPLOADED_WITHIN_SECONDS: Final = 180
PHOTOS: Final = 20
PAGE: Final = b'<!DOCTYPE html><meta charset="utf-8"><script type="module" src="/page.js"></script>'


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with run_local_stack() as stack:
        yield stack


@pytest.fixture
def app(stack: LocalStack) -> Iterator[App]:
    """The user whose token the page has."""
    with httpx.Client(base_url=stack.url, timeout=30) as http:
        yield App(http, secret=stack.environ["JWT_SECRET"])


@pytest.fixture(scope="session")
def chromium(tools: Path) -> Chromium:
    return unpack_chromium(tools.parent)


@pytest.fixture(scope="session")
def script(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The page's script, with that of the document, and Uppy as npm has it."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(HERE / "uppy_page.js", folder)
    (folder / "uploader.js").write_text(UPLOADER)
    (folder / "parts.js").write_text(PARTS)
    (folder / "node_modules").symlink_to(tools.parent)
    bundle = folder / "bundle.js"
    esbuild = (str(tools / "esbuild"), "uppy_page.js", "--bundle", "--format=esm")
    subprocess.run(
        [*esbuild, f"--outfile={bundle}", "--log-level=warning"],
        cwd=folder,
        check=True,
        timeout=BUNDLE_WITHIN_SECONDS,
    )
    return bundle.read_bytes()


def photos_of(picture: Image.Image, count: int) -> dict[str, bytes]:
    """Photos that differ, by name."""
    photos = {}
    for number in range(count):
        changed = picture.copy()
        changed.paste((number, number, number), (0, 0, 100, 100))
        out = io.BytesIO()
        changed.save(out, "JPEG", quality=90)
        photos[f"{number:02}.jpg"] = out.getvalue()
    return photos


class Browser:
    """Chromium on a page that uploads photos, with proxies before the store and the API."""

    def __init__(self, chromium: Chromium, *, script: bytes, stack: LocalStack, app: App) -> None:
        self._chromium = chromium
        self._script = script
        self._stack = stack
        self._token = app.token

    def upload(
        self,
        photos: dict[str, bytes],
        *,
        store: CuttingProxy,
        api: CuttingProxy,
        **more: object,
    ) -> Any:
        """What the page reports; at its first report of failures, the store recovers."""
        order = {"api": self._stack.url, "token": self._token, "retries": 0, **more}
        files = {
            "/index.html": PAGE,
            "/page.js": self._script,
            "/order.json": json.dumps({**order, "photos": [*photos]}).encode(),
            **{f"/photos/{name}": content for name, content in photos.items()},
        }
        reported: dict[str, Reported] = {"/failed": lambda _: store.cuts.clear()}
        with (
            run_proxy(store) as before_store,
            run_proxy(api) as before_api,
            serve_pages(files, reported=reported) as pages,
            self._chromium.show(
                pages.url,
                hosts={
                    authority(self._stack.environ["S3_ENDPOINT_URL"]): authority(before_store.url),
                    authority(self._stack.url): authority(before_api.url),
                },
            ),
        ):
            return pages.wait_for_result(within_seconds=UPLOADED_WITHIN_SECONDS)


def authority(url: str) -> str:
    """Host and port."""
    return urlsplit(url).netloc


@pytest.fixture
def browser(chromium: Chromium, script: bytes, stack: LocalStack, app: App) -> Browser:
    return Browser(chromium, script=script, stack=stack, app=app)


def before_store(stack: LocalStack, cuts: Cuts) -> CuttingProxy:
    return CuttingProxy(stack.environ["S3_ENDPOINT_URL"], cuts)


def before_api(stack: LocalStack, cuts: Cuts) -> CuttingProxy:
    return CuttingProxy(stack.url, cuts)


def published(app: App) -> list[str]:
    """The captions of the user's posts, once all are published."""
    listed = app.ask("GET", f"/posts?user_id={app.user_id}&limit=100").json()["items"]
    posts = [app.wait_until_final(post["id"]) for post in listed]
    assert {post["status"] for post in posts} == {"published"}
    return sorted(post["caption"] for post in posts)


def test_twenty_photos_and_five_cut_connections_make_twenty_published_posts(
    browser: Browser, stack: LocalStack, app: App, picture: Image.Image
) -> None:
    photos = photos_of(picture, PHOTOS)
    store = before_store(
        stack, {("PUT", 2): "reset", ("PUT", 7): "unanswered", ("PUT", 13): "reset"}
    )
    api = before_api(stack, {("init", 4): "unanswered", ("complete", 9): "unanswered"})

    result = browser.upload(photos, store=store, api=api)

    assert store.refused + api.refused == 5
    assert result["failures"] == []
    assert all(file["complete"] and not file.get("error") for file in result["files"])
    # The browser itself sends the length.
    assert result["headers"] == [
        "content-type",
        "if-none-match",
        "x-amz-checksum-sha256",
        "x-amz-meta-user-id",
    ]
    assert result["longest"] == [True, False]
    assert published(app) == [*photos]


def test_a_file_that_failed_and_is_retried_makes_one_post(
    browser: Browser, stack: LocalStack, app: App, picture: Image.Image
) -> None:
    photos = photos_of(picture, 1)
    # The first PUT stores the photo, but no response ever arrives.
    lost: Cuts = {("PUT", number): "unanswered" for number in range(1, 100)}
    store, api = before_store(stack, lost), before_api(stack, {})

    result = browser.upload(photos, store=store, api=api, retries=1)

    assert len(result["failures"]) == 1
    assert [file["complete"] for file in result["files"]] == [True]
    assert api.seen["init"] == 1
    assert published(app) == [*photos]


def test_a_cut_connection_costs_one_part(
    browser: Browser, stack: LocalStack, app: App, large_photo: bytes
) -> None:
    opened = app.init(large_photo, content_type="image/png")
    store, api = before_store(stack, {("PUT", 2): "reset"}), before_api(stack, {})

    result = browser.upload({"large.png": large_photo}, store=store, api=api, opened=opened)

    assert result["post_id"] == opened["post_id"]
    assert (store.refused, store.seen["PUT"]) == (1, 3)
    assert app.wait_until_final(opened["post_id"])["status"] == "published"
