"""The worker's settings: image processes inherit the environment, so no secret stays in it."""

import os

import pytest
from psycopg.conninfo import conninfo_to_dict

from domain.settings import WrongSettings
from transcoder.settings import object_store_settings, worker_settings

SECRETS = {
    "DATABASE_URL": "postgresql://nova:password@localhost/nova",
    "AWS_ACCESS_KEY_ID": "an id",
    "AWS_SECRET_ACCESS_KEY": "a key",
    "AWS_SESSION_TOKEN": "a token",
    "JWT_SECRET": "a secret that a worker does not even need",
}


def test_reading_the_settings_removes_the_secrets_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**SECRETS, "S3_BUCKET_NAME": "photos"}.items():
        monkeypatch.setenv(name, value)

    settings = worker_settings()

    database = conninfo_to_dict(settings.database.url)
    assert (database["password"], database["host"]) == ("password", "localhost")
    assert settings.object_store.secret_access_key == SECRETS["AWS_SECRET_ACCESS_KEY"]
    assert settings.object_store.session_token == SECRETS["AWS_SESSION_TOKEN"]
    assert os.environ["S3_BUCKET_NAME"] == "photos"
    assert not {*SECRETS.values()} & {*os.environ.values()}


def test_half_a_key_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    for name, value in {"AWS_ACCESS_KEY_ID": "an id", "S3_BUCKET_NAME": "photos"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings, match="AWS_SECRET_ACCESS_KEY is not set"):
        object_store_settings()
