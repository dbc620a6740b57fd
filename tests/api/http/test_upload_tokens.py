"""Upload tokens: a secret of their own, and no crafted one is an error of ours."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest

from api.http.authentication import upload_tokens
from api.http.authentication.tokens import create_token
from api.http.authentication.upload_tokens import create_upload_token, read_upload_token
from api.http.authentication.users import User
from api.http.errors import InvalidUploadToken
from tests.api.http.caller import SECRET

POST = UUID("5f3759df-0000-4000-8000-000000000002")
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)


def signed(secret: str | bytes, **changes: Any) -> str:
    claims = {"aud": "nova:upload", "post": str(POST), "exp": SOON, **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, secret, algorithm="HS256")


def derived(secret: str) -> bytes:
    return upload_tokens._upload_secret(secret)


def test_a_token_is_read_with_the_secret_that_it_was_made_with() -> None:
    token = create_upload_token(SECRET, POST, expires_at=SOON)
    assert read_upload_token([SECRET], token, post_id=POST) == SOON
    rotated = ["the secret of tomorrow, also long enough", SECRET]
    assert read_upload_token(rotated, token, post_id=POST) == SOON


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 10**400},
        {"exp": 10**18},
        {"exp": -(10**18)},
        {"exp": "soon"},
        {"exp": "1795853988"},
        {"exp": 1e308},
        {"exp": float("nan")},
        {"exp": [1]},
        {"exp": {}},
        {"exp": True},
        {"exp": None},
        {"post": None},
        {"post": 7},
        {"post": [str(POST)]},
        {"post": str(UUID(int=0))},
        {"post": str(POST).upper()},
        {"aud": None},
        {"aud": "other"},
        {"aud": 7},
        {"nbf": "soon"},
        {"iat": {}},
    ],
)
def test_a_token_with_other_claims_is_invalid(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidUploadToken):
        read_upload_token([SECRET], signed(derived(SECRET), **changes), post_id=POST)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b.c",
        signed(SECRET),
        signed(derived("another secret that is also long enough")),
        create_token(SECRET, User(id=POST, role="user")),
        create_token(
            SECRET,
            User(id=POST, role="user"),
            extra_claims={"aud": "nova:upload", "post": str(POST)},
        ),
    ],
    ids=range(7),
)
def test_a_token_that_is_signed_with_another_secret_is_invalid(token: str) -> None:
    with pytest.raises(InvalidUploadToken):
        read_upload_token([SECRET], token, post_id=POST)
