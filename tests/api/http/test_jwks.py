"""The key set of an identity provider: fetched over TLS, cached, and never waited for in vain."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import trustme
from msgspec.structs import replace

from api.http.authentication import jwks
from api.http.authentication.tokens import TokenVerifier
from api.http.errors import IdentityProviderUnavailable, InvalidToken
from api.settings import ApiSettings, IdentitySettings
from domain.settings import WrongSettings, load_settings
from tests.api.http.caller import SECRET, client_of_api
from tests.api.http.identity_provider import (
    AUDIENCE,
    ISSUER,
    IdentityProvider,
    SigningKey,
    serving,
)
from tests.api.http.problem_answers import problem
from tests.fake_object_store import FakeObjectStore

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def provider(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[IdentityProvider]:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    provider = IdentityProvider(SigningKey("RS256", kid="first"))
    with serving(provider, authority):
        yield provider


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each unknown key id cause a fetch."""
    monkeypatch.setattr(jwks, "PAUSE_SECONDS", 0.0)


def identity(provider: IdentityProvider) -> IdentitySettings:
    environ = {
        "JWT_SECRET": SECRET,
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "JWT_JWKS_URL": provider.url,
    }
    return load_settings(IdentitySettings, environ)


@pytest.fixture
def verifier(provider: IdentityProvider) -> TokenVerifier:
    return TokenVerifier(identity(provider), accepts_secret=False)


async def test_a_token_of_a_published_key_is_accepted(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    provider.keys += [SigningKey("ES256", kid="second"), SigningKey("EdDSA")]
    for key in provider.keys:
        await verifier.verify(key.sign())
    assert provider.fetches == 1


@pytest.mark.usefixtures("no_pause")
async def test_a_new_key_is_fetched_when_the_first_token_names_it(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    old, new = provider.keys[0], SigningKey("RS256", kid="new")
    await verifier.verify(old.sign())
    provider.keys.append(new)
    await verifier.verify(new.sign())
    await verifier.verify(old.sign())
    assert provider.fetches == 2


@pytest.mark.usefixtures("no_pause")
async def test_a_removed_key_is_refused_even_for_tokens_that_were_verified(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    old, new = provider.keys[0], SigningKey("RS256", kid="new")
    token = old.sign()
    await verifier.verify(token)
    provider.keys = [new]
    await verifier.verify(new.sign())
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_a_token_that_names_one_key_is_not_verified_with_another(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    first = provider.keys[0]
    misnamed = SigningKey("RS256", kid="second")
    provider.keys.append(misnamed)
    first.kid, misnamed.kid = "second", "first"
    token = first.sign()
    first.kid, misnamed.kid = "first", "second"
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_a_flood_of_unknown_key_ids_is_one_fetch(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    stranger = SigningKey("RS256")

    async def send(number: int) -> None:
        stranger.kid = f"unknown-{number}"
        with pytest.raises(InvalidToken):
            await verifier.verify(stranger.sign())

    await verifier.verify(provider.keys[0].sign())
    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(send, number)
    assert provider.fetches == 1


async def test_a_provider_that_is_down_is_not_asked_more_often(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    provider.status = 500
    for _ in range(100):
        with pytest.raises(IdentityProviderUnavailable):
            await verifier.verify(provider.keys[0].sign())
    assert provider.fetches == 1


@pytest.mark.usefixtures("no_pause")
async def test_the_last_keys_count_while_the_provider_is_down(
    provider: IdentityProvider, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, unknown = provider.keys[0], SigningKey("RS256", kid="unknown")
    await verifier.verify(known.sign())
    provider.status = 500
    with pytest.raises(IdentityProviderUnavailable):
        await verifier.verify(unknown.sign())
    await verifier.verify(known.sign())

    monkeypatch.setattr(jwks, "STALE_SECONDS", 0.0)
    with pytest.raises(IdentityProviderUnavailable):
        await verifier.verify(unknown.sign())
    with pytest.raises(IdentityProviderUnavailable):
        await verifier.verify(known.sign())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (302, b""),
        (404, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"keys": []}'),
        (200, b'{"keys": 7}'),
        (200, b'{"keys": [7, {}, {"kty": "RSA"}, {"kty": "oct", "k": "c2VjcmV0"}]}'),
        (200, b"[" * 200_000),
        (200, b" " * 300_000),
    ],
)
async def test_an_answer_without_keys_is_no_answer(
    provider: IdentityProvider, verifier: TokenVerifier, status: int, body: bytes
) -> None:
    provider.status, provider.body = status, body
    with pytest.raises(IdentityProviderUnavailable):
        await verifier.verify(provider.keys[0].sign())
    assert provider.fetches == 1


async def test_a_provider_without_a_certificate_that_this_machine_trusts_is_not_believed(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    verifier = TokenVerifier(identity(provider), accepts_secret=False)
    with pytest.raises(IdentityProviderUnavailable):
        await verifier.verify(provider.keys[0].sign())
    assert provider.fetches == 0


def test_keys_are_fetched_over_tls_only() -> None:
    environ = {"JWT_SECRET": SECRET, "JWT_JWKS_URL": "http://login.example/jwks.json"}
    with pytest.raises(WrongSettings, match="JWT_JWKS_URL is wrong"):
        load_settings(IdentitySettings, environ)


async def test_requests_with_known_keys_do_not_wait_for_a_provider_that_hangs(
    provider: IdentityProvider, settings: ApiSettings, store: FakeObjectStore
) -> None:
    known, unknown = provider.keys[0], SigningKey("RS256", kid="unknown")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jwks, "PAUSE_SECONDS", 0.0)
        async with client_of_api(replace(settings, identity=identity(provider)), store) as http:

            async def read(key: SigningKey) -> tuple[int, str]:
                headers = {"Authorization": f"Bearer {key.sign()}"}
                answer = await http.get("/api/v1/posts", headers=headers)
                return (200, "") if answer.status_code == 200 else problem(answer)

            async def read_as_a_stranger() -> None:
                assert await read(unknown) == (401, "unauthorized")

            assert await read(known) == (200, "")
            provider.asked.clear()
            provider.answering.clear()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read_as_a_stranger)
                await anyio.to_thread.run_sync(provider.asked.wait)
                assert await read(known) == (200, "")
                provider.answering.set()


async def test_a_provider_that_never_answers_is_waited_for_a_few_seconds(
    provider: IdentityProvider, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "FETCH_WITHIN_SECONDS", 0.2)
    provider.answering.clear()
    with pytest.raises(IdentityProviderUnavailable):
        await verifier.verify(provider.keys[0].sign())


async def test_tokens_wait_outside_when_no_key_was_ever_fetched(
    provider: IdentityProvider, settings: ApiSettings, store: FakeObjectStore
) -> None:
    provider.status = 500
    async with client_of_api(replace(settings, identity=identity(provider)), store) as http:
        headers = {"Authorization": f"Bearer {provider.keys[0].sign()}"}
        answer = await http.get("/api/v1/posts", headers=headers)
        assert problem(answer) == (503, "identity-provider-unavailable")
        assert answer.headers["retry-after"] == "2"
        answer = await http.get("/api/v1/posts", headers={"Authorization": "Bearer nonsense"})
        assert problem(answer) == (401, "unauthorized")
