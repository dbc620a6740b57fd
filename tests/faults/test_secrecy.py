"""The search for secrets finds each kind of them, wherever in a line it is."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from api.http.authentication.upload_tokens import create_upload_token
from tests.faults.secret_leaks import CAPTION, assert_nothing_secret

ENVIRON = {
    "JWT_SECRET": "a secret that is long enough for anybody",
    "AWS_SECRET_ACCESS_KEY": "half-as-secret",
    "DATABASE_URL": "postgresql://nova:pass-word@127.0.0.1/nova",
}
TOKEN = create_upload_token(ENVIRON["JWT_SECRET"], UUID(int=0), expires_at=datetime.now(UTC))


@pytest.mark.parametrize(
    "secret",
    [
        ENVIRON["JWT_SECRET"],
        ENVIRON["AWS_SECRET_ACCESS_KEY"],
        ENVIRON["DATABASE_URL"],
        CAPTION,
        TOKEN,
        f"Bearer {TOKEN}",
        "https://s3.example/photo?X-Amz-Date=1&X-Amz-Signature=0123",
    ],
)
def test_what_is_secret_is_found(secret: str) -> None:
    with pytest.raises(AssertionError, match="a worker"):
        assert_nothing_secret(f'first\n{{"error": "{secret}"}}\n', ENVIRON, speaker="a worker")


def test_what_is_not_is_none_of_its_business() -> None:
    said = '{"event": "attempt_failed", "code": "renderer_crashed", "post_id": "eyJ"}'
    assert_nothing_secret(said, ENVIRON, speaker="a worker")
