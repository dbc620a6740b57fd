"""The worker's settings: image processes inherit the environment, so no secret stays in it."""

import os

import pytest
from psycopg.conninfo import conninfo_to_dict

from transcoder.settings import worker_settings

SECRETS = {
    "DATABASE_URL": "postgresql://nova:password@localhost/nova",
    "AWS_ACCESS_KEY_ID": "an id",
    "AWS_SECRET_ACCESS_KEY": "a key",
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
    assert os.environ["S3_BUCKET_NAME"] == "photos"
    assert not {*SECRETS.values()} & {*os.environ.values()}
