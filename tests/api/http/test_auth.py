"""Bearer tokens: which are accepted, as whom, and for how long."""

import time
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import httpx
import jwt
import pytest
import time_machine
from msgspec.structs import replace

from api.http.authentication.tokens import TokenVerifier, create_development_token, create_token
from api.http.authentication.users import User
from api.http.errors import InvalidToken
from api.settings import ApiSettings, IdentitySettings
from domain.settings import WrongSettings, load_settings
from tests.api.http.caller import SECRET, client_of_api
from tests.api.http.crafted_tokens import IGNORED_CLAIMS, NOW, OWNER, REFUSED_CLAIMS, forged_tokens
from tests.api.http.identity_provider import AUDIENCE, ISSUER, SigningKey, claims_with
from tests.api.http.problem_answers import problem
from tests.fake_object_store import FakeObjectStore

pytestmark = pytest.mark.anyio

ALGORITHMS = ("RS256", "ES256", "EdDSA")
KEYS = {algorithm: SigningKey(algorithm) for algorithm in ALGORITHMS}


def identity(**variables: str) -> IdentitySettings:
    """Settings with the provider's issuer and audience, and these."""
    defaults = {"JWT_SECRET": SECRET, "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE}
    return load_settings(IdentitySettings, {**defaults, **variables})


def provider_only(*keys: SigningKey, **variables: str) -> TokenVerifier:
    """Accepts tokens of these keys, but none signed with the secret."""
    pems = "".join(key.pem for key in keys)
    return TokenVerifier(identity(JWT_PUBLIC_KEY=pems, **variables), accepts_secret=False)


def secret_only(**variables: str) -> TokenVerifier:
    """Accepts tokens signed with the secret that name neither issuer nor audience."""
    unnamed = {"JWT_ISSUER": "", "JWT_AUDIENCE": "", **variables}
    return TokenVerifier(identity(**unnamed), accepts_secret=True)


async def is_accepted(verifier: TokenVerifier, token: str) -> bool:
    try:
        await verifier.verify(token)
    except InvalidToken:
        return False
    return True


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_of_the_identity_provider_is_accepted(algorithm: str) -> None:
    verified = await provider_only(*KEYS.values()).verify(KEYS[algorithm].sign(sub=OWNER))
    assert verified.user == User(id=UUID(OWNER), role="user")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("claims", REFUSED_CLAIMS.values(), ids=REFUSED_CLAIMS)
async def test_a_signed_token_with_wrong_claims_is_refused(
    algorithm: str, claims: dict[str, object]
) -> None:
    token = KEYS[algorithm].sign(**claims)
    assert not await is_accepted(provider_only(*KEYS.values()), token)


@pytest.mark.parametrize("claims", IGNORED_CLAIMS.values(), ids=IGNORED_CLAIMS)
async def test_a_token_with_odd_but_harmless_claims_is_that_of_a_user(
    claims: dict[str, object],
) -> None:
    with time_machine.travel(NOW):
        verified = await provider_only(KEYS["ES256"]).verify(KEYS["ES256"].sign(**claims))
    assert verified.user.role == "user"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_forged_token_is_refused(algorithm: str) -> None:
    verifier = provider_only(*KEYS.values())
    forged = forged_tokens(KEYS[algorithm])
    accepted = [name for name, token in forged.items() if await is_accepted(verifier, token)]
    assert accepted == []


async def test_no_crafted_token_is_an_error_of_ours(
    settings: ApiSettings, store: FakeObjectStore
) -> None:
    key = KEYS["RS256"]
    crafted = {name: key.sign(**claims) for name, claims in REFUSED_CLAIMS.items()}
    crafted |= forged_tokens(key)
    provider = replace(settings, identity=identity(JWT_PUBLIC_KEY=key.pem))
    async with client_of_api(provider, store) as http:
        for name, token in crafted.items():
            headers = {"Authorization": f"Bearer {token}"}
            answer = await http.get("/api/v1/posts", headers=headers)
            assert problem(answer) == (401, "unauthorized"), name
        headers = {"Authorization": f"Bearer {key.sign()}"}
        assert (await http.get("/api/v1/posts", headers=headers)).status_code == 200


async def test_the_secret_signs_no_tokens_beside_public_keys_in_production() -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE}
    token = create_token(SECRET, User(id=uuid4(), role="operator"), extra_claims=claims)
    assert not await is_accepted(provider_only(KEYS["RS256"]), token)


def test_the_secret_signs_tokens_beside_public_keys_in_development_only() -> None:
    environ = {
        "DATABASE_URL": "postgresql:///none",
        "S3_BUCKET_NAME": "none",
        "JWT_SECRET": SECRET,
        "JWT_PUBLIC_KEY": KEYS["ES256"].pem,
    }
    assert load_settings(ApiSettings, environ).accepts_secret
    environ["APP_ENV"] = "production"
    assert not load_settings(ApiSettings, environ).accepts_secret
    del environ["JWT_PUBLIC_KEY"]
    assert load_settings(ApiSettings, environ).accepts_secret


@pytest.mark.parametrize("claims", [{"aud": "other-service"}, {"iss": "https://evil.example"}])
async def test_a_token_for_anyone_is_refused_unless_the_settings_name_them(
    claims: dict[str, str],
) -> None:
    user = User(id=uuid4(), role="user")
    token = create_token(SECRET, user, extra_claims=claims)
    assert not await is_accepted(secret_only(), token)
    assert await is_accepted(secret_only(), create_token(SECRET, user))
    verifier = secret_only(JWT_ISSUER=claims.get("iss", ""), JWT_AUDIENCE=claims.get("aud", ""))
    assert await is_accepted(verifier, token)


async def test_a_secret_can_be_changed_without_logging_anyone_out() -> None:
    user, new = User(id=uuid4(), role="user"), "the secret of tomorrow, also long enough"
    verifier = secret_only(JWT_SECRET=new, JWT_PREVIOUS_SECRET=SECRET)
    for secret in (new, SECRET):
        assert (await verifier.verify(create_token(secret, user))).user == user
    assert not await is_accepted(secret_only(JWT_SECRET=new), create_token(SECRET, user))


async def test_several_public_keys_count_at_once(tmp_path: Path) -> None:
    old, new = SigningKey("RS256"), SigningKey("RS256")
    file = tmp_path / "keys.pem"
    file.write_text(old.pem + new.pem)
    one_line = (old.pem + new.pem).replace("\n", "\\n")
    for setting in (str(file), one_line):
        verifier = TokenVerifier(identity(JWT_PUBLIC_KEY=setting), accepts_secret=False)
        assert await is_accepted(verifier, old.sign())
        assert await is_accepted(verifier, new.sign())


@pytest.mark.parametrize(
    "setting",
    [
        "nonsense",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        SigningKey("RS256", bits=1024).pem,
    ],
    ids=["text", "half", "no key", "short"],
)
def test_a_key_that_is_none_is_a_wrong_setting(setting: str) -> None:
    with pytest.raises(WrongSettings, match="JWT_PUBLIC_KEY is wrong"):
        TokenVerifier(identity(JWT_PUBLIC_KEY=setting), accepts_secret=False)


async def test_a_subject_that_is_no_uuid_gets_an_id_of_its_issuer_and_name() -> None:
    verified = await provider_only(KEYS["EdDSA"]).verify(KEYS["EdDSA"].sign(sub="auth0|5f7c8e"))
    assert verified.user.id == uuid5(uuid5(NAMESPACE_URL, ISSUER), "auth0|5f7c8e")


@pytest.mark.parametrize("spelling", [OWNER.upper(), f"urn:uuid:{OWNER}", f"{{{OWNER}}}"])
async def test_another_spelling_of_a_uuid_is_another_subject(spelling: str) -> None:
    verified = await provider_only(KEYS["EdDSA"]).verify(KEYS["EdDSA"].sign(sub=spelling))
    assert verified.user.id != UUID(OWNER)


@pytest.mark.parametrize(
    ("role_claim", "claims", "role"),
    [
        ("role", {"role": "auditor"}, "auditor"),
        ("role", {"role": ["auditor", "operator", "x"]}, "operator"),
        ("role", {"role": []}, "user"),
        ("role", {}, "user"),
        ("realm_access.roles", {"realm_access": {"roles": ["x", "auditor"]}}, "auditor"),
        ("realm_access.roles", {"realm_access": {}}, "user"),
        ("realm_access.roles", {"realm_access": "operator"}, "user"),
        ("realm_access.roles", {"role": "operator"}, "user"),
        ("https://a.example/role", {"https://a.example/role": "operator"}, "operator"),
        ("cognito:groups", {"cognito:groups": ["operator"]}, "operator"),
    ],
)
async def test_the_role_is_read_from_the_claim_of_the_settings(
    role_claim: str, claims: dict[str, object], role: str
) -> None:
    verifier = provider_only(KEYS["ES256"], JWT_ROLE_CLAIM=role_claim)
    assert (await verifier.verify(KEYS["ES256"].sign(**claims))).user.role == role


async def test_a_token_that_was_accepted_once_is_refused_when_it_has_expired() -> None:
    verifier, token = provider_only(KEYS["RS256"]), KEYS["RS256"].sign(exp=int(time.time()) + 60)
    assert await is_accepted(verifier, token)
    with time_machine.travel(time.time() + 85):
        assert await is_accepted(verifier, token)
    with time_machine.travel(time.time() + 95):
        assert not await is_accepted(verifier, token)


async def test_a_development_token_fits_the_settings_that_it_is_made_with() -> None:
    environ = {
        "JWT_SECRET": SECRET,
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "JWT_ROLE_CLAIM": "realm_access.roles",
    }
    user = User(id=uuid4(), role="operator")
    token = create_development_token(environ, user)
    verifier = TokenVerifier(load_settings(IdentitySettings, environ), accepts_secret=True)
    assert (await verifier.verify(token)).user == user


def bearer(**changes: object) -> str:
    claims = claims_with(iss=None, aud=None, **changes)
    return jwt.encode(claims, SECRET, algorithm="HS256")


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", "Bearerx", ""])
async def test_only_the_scheme_bearer_is_accepted(http: httpx.AsyncClient, scheme: str) -> None:
    answer = await http.get(
        "/api/v1/posts", headers={"Authorization": f"{scheme} {bearer()}".strip()}
    )
    assert problem(answer) == (401, "unauthorized")


async def test_schemes_have_no_case(http: httpx.AsyncClient) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {bearer()}"}
        assert (await http.get("/api/v1/posts", headers=headers)).status_code == 200


async def test_of_two_authorization_headers_neither_counts(http: httpx.AsyncClient) -> None:
    valid = ("Authorization", f"Bearer {bearer()}")
    for other in (valid, ("Authorization", "Basic dXNlcjpwYXNz")):
        for headers in ([valid, other], [other, valid]):
            answer = await http.get("/api/v1/posts", headers=headers)
            assert problem(answer) == (401, "unauthorized")
