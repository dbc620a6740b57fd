"""Callers: clients of an API in this process, each with a token of its own."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import httpx

from api.http.app import create_app
from api.http.authentication.tokens import create_token
from api.http.authentication.users import Role, User
from api.http.resources import Resources, resources_with
from api.settings import ApiSettings
from tests.fake_object_store import FakeObjectStore

SECRET = "a secret that is long enough for anybody"


class Caller:
    """A client that calls the API with a token."""

    def __init__(self, http: httpx.AsyncClient, *, user_id: UUID, role: Role = "user") -> None:
        self.id = user_id
        token = create_token(SECRET, User(id=user_id, role=role))
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self._http.get(path, headers={**self._headers, **headers})

    async def post(self, path: str, content: object) -> httpx.Response:
        return await self._http.post(path, json=content, headers=self._headers)

    async def post_with(self, path: str, content: object, **headers: str) -> httpx.Response:
        return await self._http.post(path, json=content, headers={**self._headers, **headers})

    async def post_bytes(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        return await self._http.post(path, content=content, headers={**self._headers, **headers})

    async def send(
        self, method: str, path: str, content: object = None, **headers: str
    ) -> httpx.Response:
        sent = {**self._headers, **headers}
        return await self._http.request(method, path, json=content, headers=sent)

    async def delete(self, path: str) -> httpx.Response:
        return await self._http.delete(path, headers=self._headers)


@asynccontextmanager
async def client_of_api(
    settings: ApiSettings, store: FakeObjectStore
) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token, of an API with these settings."""

    def open_resources(settings: ApiSettings) -> AbstractAsyncContextManager[Resources]:
        return resources_with(store, settings)

    app = create_app(settings, open_resources=open_resources)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://api.example") as http,
    ):
        yield http
