"""Settings: `.env.example` lists every variable that some process reads, and nothing else."""

from pathlib import Path

import pytest
from dotenv import dotenv_values

from api.settings import ApiSettings, api_settings
from api.stack.settings import EmbeddingSettings
from domain.settings import WrongSettings, load_settings, variable_names
from projections.settings import AuditSettings, OwnerSettings, ProjectorSettings
from transcoder.settings import WorkerSettings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
REQUIRED = {
    "DATABASE_URL": "postgresql://nova@localhost/nova",
    "S3_BUCKET_NAME": "photos",
    "JWT_SECRET": "a secret that is long enough for anybody",
}


def test_the_example_lists_every_setting_and_nothing_else() -> None:
    services = (ProjectorSettings, OwnerSettings, WorkerSettings, ApiSettings, AuditSettings)
    known = {name for struct in (*services, EmbeddingSettings) for name in variable_names(struct)}
    assert set(dotenv_values(EXAMPLE)) == known


def test_every_setting_of_the_example_has_its_meaning_above_it() -> None:
    lines = EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if "=" in line and not line.startswith("#"):
            assert any(above.startswith("#") for above in lines[max(0, number - 3) : number]), line


def test_the_values_of_the_example_are_the_defaults() -> None:
    filled = {name: value or "" for name, value in dotenv_values(EXAMPLE).items()}
    for struct in (ApiSettings, WorkerSettings):
        assert load_settings(struct, {**filled, **REQUIRED}) == load_settings(struct, REQUIRED)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JWT_SECRET", "short"),
        ("APP_PORT", "70000"),
        ("APP_ENV", "staging"),
        ("CLOUDFRONT_URL", "cdn.example"),
        ("UPLOAD_MAX_BYTES", "50 MB"),
        ("JOB_QUEUE_CAPACITY", "0"),
        ("JWT_PREVIOUS_SECRET", "short"),
        ("JWT_JWKS_URL", "http://login.example/jwks.json"),
        ("JWT_MAX_LIFETIME_SECONDS", "0"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(WrongSettings, match=f"{variable} is wrong"):
        load_settings(ApiSettings, {**REQUIRED, variable: value})


def test_production_needs_a_cdn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**REQUIRED, "APP_ENV": "production"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CLOUDFRONT_URL", raising=False)
    with pytest.raises(WrongSettings, match="CLOUDFRONT_URL is not set"):
        api_settings()
    monkeypatch.setenv("CLOUDFRONT_URL", "https://cdn.example")
    assert api_settings().cloudfront_url == "https://cdn.example"


@pytest.mark.parametrize("keys", ["JWT_PUBLIC_KEY", "JWT_JWKS_URL"])
def test_public_keys_need_an_issuer_and_an_audience(
    monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    for name, value in {**REQUIRED, keys: "https://login.example/jwks.json"}.items():
        monkeypatch.setenv(name, value)
    for name in ("JWT_ISSUER", "JWT_AUDIENCE"):
        with pytest.raises(WrongSettings, match=f"{name} is not set"):
            api_settings()
        monkeypatch.setenv(name, "https://login.example/")
    assert api_settings().identity.has_public_keys


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(WrongSettings) as wrong:
        load_settings(ApiSettings, {})
    assert {problem.split()[0] for problem in wrong.value.problems} == set(REQUIRED)


def test_what_production_needs_is_named_together_with_all_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (*REQUIRED, "CLOUDFRONT_URL", "JWT_ISSUER", "JWT_AUDIENCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("JWT_JWKS_URL", "https://idp.example/keys")
    with pytest.raises(WrongSettings) as wrong:
        api_settings()
    named = {problem.split()[0] for problem in wrong.value.problems}
    assert named == {*REQUIRED, "CLOUDFRONT_URL", "JWT_ISSUER", "JWT_AUDIENCE"}
