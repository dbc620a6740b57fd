"""A phone in the same network publishes a photo on the local stack."""

from typing import Final
from urllib.parse import urlsplit

import httpx

from api.stack.addresses import find_lan_address
from tests.acceptance.app import App
from tests.acceptance.stacks import run_local_stack

# A machine without a network has another address of its own.
ADDRESS: Final = find_lan_address()
APP_HOST: Final = "0.0.0.0" if ADDRESS else "127.0.0.2"  # noqa: S104 - what is tested
HOST: Final = ADDRESS or APP_HOST


def test_a_phone_publishes_and_shows_a_photo_at_the_address_of_the_machine(jpeg: bytes) -> None:
    with run_local_stack({"APP_HOST": APP_HOST}) as stack:
        assert stack.public_url is not None
        with httpx.Client(base_url=stack.public_url, timeout=30) as http:
            app = App(http, secret=stack.environ["JWT_SECRET"])
            opened = app.init(jpeg)
            assert app.put(opened, jpeg).status_code == 200
            assert app.complete(opened).status_code == 202
            post = app.wait_until_final(opened["post_id"])
            assert post["status"] == "published"
            urls = [opened["presigned_url"], *(image["url"] for image in post["images"].values())]
            assert {urlsplit(url).hostname for url in [stack.public_url, *urls]} == {HOST}
            for url in urls[1:]:
                assert http.get(url).headers["content-type"] == "image/jpeg"
        with httpx.Client(base_url=stack.url, timeout=30) as http:
            app.http = http
            again = app.ask("GET", f"/posts/{post['id']}").json()
            assert again == post, "the app on this machine sees the same addresses"
