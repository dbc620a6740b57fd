"""A database that hangs: whoever finds nobody free to ask it is told so soon, and can try again."""

from threading import Event
from typing import Any

import anyio
import httpx
import pytest

from api.settings import ApiSettings
from domain.event_store.publishing import Publishing
from tests.api.http.caller import Caller
from tests.api.http.uploads import announcement

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(settings: ApiSettings, monkeypatch: pytest.MonkeyPatch) -> ApiSettings:
    """Settings of an API that waits only briefly for a free thread."""
    monkeypatch.setattr("api.http.writer.APPEND_WITHIN_SECONDS", 0.2)
    return settings


async def test_writes_wait_for_a_hanging_database_only_so_many_and_only_so_long(
    owner: Caller, settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    thawed = Event()
    execute = Publishing.execute

    def hang(*asked: Any, **named: Any) -> Any:
        thawed.wait(30)
        return execute(*asked, **named)

    monkeypatch.setattr(Publishing, "execute", hang)
    answers: list[httpx.Response] = []

    async def init() -> None:
        answers.append(await owner.post("/api/v1/posts/upload/init", announcement()))

    async with anyio.create_task_group() as tasks:
        for _ in range(settings.database.pool_size + 1):
            tasks.start_soon(init)
        while not answers:
            await anyio.sleep(0.05)
        [refused] = answers
        assert refused.status_code == 503
        assert refused.json()["type"].endswith("database-unavailable")
        thawed.set()
    assert [answer.status_code for answer in answers[1:]] == [201] * settings.database.pool_size
