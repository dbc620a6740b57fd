"""docs/operations.md: its commands are run in order on a stack, and must print what it shows.

With `NOVA_WRITE_PAGES` set, their output is written into the page, to be reviewed and committed.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from api.stack.local import LocalStack
from tests.acceptance.app import App
from tests.acceptance.pages import in_essence, run_page
from tests.acceptance.stacks import run_local_stack
from tests.sql import append_poison

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


class Operator:
    """An operator with a working folder, and a stack with three posts."""

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self.folder = folder
        self.url = stack.operators_environ["DATABASE_OWNER_URL"]
        self.environ = {
            **stack.operators_environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "COLUMNS": "110",
        }

    def publish(self, app: App, photo: bytes) -> None:
        """Publish two posts, and let one fail."""
        for content in (photo[: len(photo) // 2], photo, photo):
            post_id = app.upload(content)
            app.wait_until_final(post_id)
            self.environ["POST"] = post_id

    def seal(self) -> None:
        """Seal now instead of waiting for the projector."""
        command = ["nova", "audit", "verify", "--seal"]
        subprocess.run(command, env=self.environ, check=True, capture_output=True)

    def tamper(self) -> None:
        """Change an event with SQL."""
        self._execute_without_triggers(
            "UPDATE post_events SET state = replace(convert_from(state, 'UTF8'), '.jpg', '.png')"
            "::bytea WHERE notification_id = 1"
        )

    def mend_and_poison(self) -> None:
        """Undo the change, and append an unreadable event."""
        self._execute_without_triggers(
            "UPDATE post_events SET state = replace(convert_from(state, 'UTF8'), '.png', '.jpg')"
            "::bytea WHERE notification_id = 1"
        )
        append_poison(self.url)

    def _execute_without_triggers(self, statement: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute("ALTER TABLE post_events DISABLE TRIGGER USER")
            connection.execute(statement.encode())
            connection.execute("ALTER TABLE post_events ENABLE TRIGGER USER")


def make_keys(folder: Path) -> dict[str, str]:
    """Write a signing key and its public key, and return the settings that name them."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "key.pem").write_bytes(private)
    (folder / "public.pem").write_bytes(public)
    return {
        "AUDIT_ORIGIN": "photos.example.com/log",
        "AUDIT_SIGNING_KEY": str(folder / "key.pem"),
        "AUDIT_PUBLIC_KEY": str(folder / "public.pem"),
    }


@pytest.fixture
def operator(jpeg: bytes, tmp_path: Path) -> Iterator[Operator]:
    """The operator of a stack that tests may break."""
    with run_local_stack(make_keys(tmp_path)) as stack:
        operator = Operator(stack, tmp_path)
        with httpx.Client(base_url=stack.url, timeout=30) as http:
            operator.publish(App(http, secret=stack.environ["JWT_SECRET"]), jpeg)
        yield operator


def test_the_page_shows_what_its_commands_print(operator: Operator) -> None:
    page = PAGE.read_text()
    now = run_page(
        page,
        folder=operator.folder,
        environ=operator.environ,
        first={
            "seal": operator.seal,
            "tamper": operator.tamper,
            "poison": operator.mend_and_poison,
        },
    )
    if "NOVA_WRITE_PAGES" in os.environ:
        PAGE.write_text(now)
    assert in_essence(now) == in_essence(page)
