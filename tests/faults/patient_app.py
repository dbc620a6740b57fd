"""A patient app: it retries requests that fail or get 503, as the README advises."""

import time
from typing import Any

import httpx

from tests.acceptance.app import App
from tests.faults.secret_leaks import CAPTION

PATIENCE_SECONDS = 60
PRECONDITION_FAILED = 412


class PatientApp(App):
    """One user's app that retries through every outage."""

    def ask(self, method: str, path: str, content: object = None) -> httpx.Response:
        """Send a request until it is answered."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = super().ask(method, path, content)
            except httpx.TransportError:
                assert time.monotonic() < deadline, f"{method} {path} is never answered"
            else:
                # A fault of a part is never an unexpected error to clients.
                assert answer.status_code != httpx.codes.INTERNAL_SERVER_ERROR, answer.text
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return answer
                assert int(answer.headers["retry-after"]) > 0
                assert time.monotonic() < deadline, answer.text
            time.sleep(0.2)

    def once(self, method: str, path: str, content: object = None) -> int:
        """The status of one request, without retries."""
        return super().ask(method, path, content).status_code

    def put(self, opened: dict[str, Any], content: bytes) -> httpx.Response:
        """Send the photo, until the object store has it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = super().put(opened, content)
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the object store never answers"
            else:
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return answer
                assert time.monotonic() < deadline, answer.text
            time.sleep(0.2)

    def upload(self, content: bytes, *, content_type: str = "image/jpeg") -> str:
        """Announce, send and complete a photo; the id of its post."""
        opened = self.init(content, content_type=content_type, caption=CAPTION)
        assert self.put(opened, content).status_code in {httpx.codes.OK, PRECONDITION_FAILED}
        assert self.complete(opened).status_code == httpx.codes.ACCEPTED
        post_id: str = opened["post_id"]
        return post_id

    def final(self, post_ids: list[str]) -> list[dict[str, Any]]:
        """The posts when all are published or have failed."""
        return [self.wait_until_final(post_id) for post_id in post_ids]
