"""Authentication: verified tokens are cached and still expire; what we override is still there."""

import inspect
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import anyio
import httpx
import jwt
import pytest
from litestar.exceptions import NotAuthorizedException
from litestar.security.jwt import Token
from litestar.security.jwt.middleware import JWTAuthenticationMiddleware

from api.http.authentication.bearer import CachedToken, User, create_token
from tests.api.http.caller import SECRET
from tests.api.http.problem_answers import problem


def signed(**claims: object) -> str:
    """A token with these claims that expires in an hour, unless they say otherwise."""
    now = datetime.now(UTC)
    standard = {"sub": str(uuid4()), "iat": now, "exp": now + timedelta(hours=1)}
    return jwt.encode({**standard, **claims}, SECRET, algorithm="HS256")


@pytest.mark.anyio
async def test_a_token_that_was_accepted_once_is_refused_when_it_has_expired(
    http: httpx.AsyncClient,
) -> None:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    headers = {"Authorization": f"Bearer {signed(exp=expires_at)}"}
    assert (await http.get("/api/v1/posts", headers=headers)).status_code == 200
    await anyio.sleep((expires_at - datetime.now(UTC)).total_seconds() + 0.1)
    assert problem(await http.get("/api/v1/posts", headers=headers)) == (401, "unauthorized")


def test_a_cached_token_is_what_the_library_decodes() -> None:
    token = create_token(SECRET, User(id=uuid4(), role="auditor"))
    decoded = CachedToken.decode(token, SECRET, "HS256", require_claims=["exp", "sub"])
    assert decoded is CachedToken.decode(token, SECRET, "HS256", require_claims=["exp", "sub"])
    library = Token.decode(token, SECRET, "HS256", require_claims=["exp", "sub"])
    assert (decoded.sub, decoded.exp, decoded.extras) == (library.sub, library.exp, library.extras)


def test_invalid_tokens_are_not_cached() -> None:
    for _ in range(2):
        with pytest.raises(NotAuthorizedException):
            CachedToken.decode(signed(), "another secret, long enough to sign", "HS256")
        with pytest.raises(NotAuthorizedException):
            CachedToken.decode(signed(exp=0), SECRET, "HS256")


def test_the_library_still_decodes_tokens_with_the_method_that_we_override() -> None:
    assert list(inspect.signature(Token.decode).parameters) == [
        "encoded_token",
        "secret",
        "algorithm",
        "audience",
        "issuer",
        "require_claims",
        "verify_exp",
        "verify_nbf",
        "strict_audience",
    ]
    authenticate = inspect.getsource(JWTAuthenticationMiddleware.authenticate_token)
    assert "self.token_cls.decode(" in authenticate
    assert "self.retrieve_user_handler(token, connection)" in authenticate
