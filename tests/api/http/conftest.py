"""The API in this process, on a real PostgreSQL and a fake object store."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from api.settings import ApiSettings
from domain.settings import load_settings
from tests.api.http.caller import SECRET, Caller, client_of_api
from tests.fake_object_store import FakeObjectStore


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def settings(database_url: str) -> ApiSettings:
    environ = {
        "DATABASE_URL": database_url,
        "DB_POOL_SIZE": "4",
        "S3_BUCKET_NAME": "fake",
        "JWT_SECRET": SECRET,
        "JOB_QUEUE_CAPACITY": "2",
        # Tests send more than any user does; those of the limits switch them on.
        "LIMITS": "false",
    }
    return load_settings(ApiSettings, environ)


@pytest.fixture
async def http(settings: ApiSettings, store: FakeObjectStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of_api(settings, store) as client:
        yield client


@pytest.fixture
def owner(http: httpx.AsyncClient) -> Caller:
    return Caller(http, user_id=uuid4())


@pytest.fixture
def stranger(http: httpx.AsyncClient) -> Caller:
    return Caller(http, user_id=uuid4())


@pytest.fixture
def operator(http: httpx.AsyncClient) -> Caller:
    return Caller(http, user_id=uuid4(), role="operator")


@pytest.fixture
def auditor(http: httpx.AsyncClient) -> Caller:
    return Caller(http, user_id=uuid4(), role="auditor")
