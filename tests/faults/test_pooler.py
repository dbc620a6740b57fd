"""A pooler in transaction mode: refused where nothing leads past it, and harmless where it does."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import anyio
import httpx
import pytest
from anyio import to_thread
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.cli.pooler import require_sessions
from api.settings import ApiSettings
from domain.event_store.publishing import Publishing
from domain.settings import WrongSettings, load_settings
from projections.connection import connection_options, use_utc
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from projections.rebuild.rebuild import rebuild
from tests.acceptance.app import App
from tests.acceptance.commands import run_nova
from tests.acceptance.stacks import run_local_stack
from tests.api.http.caller import SECRET, Caller, client_of_api
from tests.fake_object_store import FakeObjectStore
from tests.histories import publishing_commands
from tests.poolers import run_pgbouncer

READERS = 8
REBUILDS = 3


@pytest.fixture(params=[0, 200], ids="{} prepared".format)
def pooled(database_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    with run_pgbouncer(
        database_url, mode="transaction", prepared_statements=request.param
    ) as pooled:
        yield pooled


@pytest.fixture
def settings(pooled: str, database_url: str) -> ApiSettings:
    environ = {
        "DATABASE_URL": pooled,
        "DATABASE_DIRECT_URL": database_url,
        "S3_BUCKET_NAME": "fake",
        "JWT_SECRET": SECRET,
        "LIMITS": "false",
    }
    return load_settings(ApiSettings, environ)


@pytest.fixture
async def http(settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of_api(settings, FakeObjectStore()) as client:
        yield client


def test_a_server_and_a_pooler_that_keeps_sessions_pass(database_url: str) -> None:
    require_sessions(database_url)
    with run_pgbouncer(database_url, mode="session") as in_session_mode:
        require_sessions(in_session_mode)


def test_a_pooler_that_keeps_no_session_is_refused(pooled: str) -> None:
    with pytest.raises(WrongSettings, match="set DATABASE_DIRECT_URL"):
        require_sessions(pooled)


def test_a_database_that_is_down_is_left_to_what_connects_next() -> None:
    require_sessions("postgresql://127.0.0.1:1/none")


@pytest.mark.parametrize(
    "verb", ["migrate", "api", "worker", "projector", "projections rebuild posts"]
)
def test_what_needs_a_session_refuses_to_start(pooled: str, verb: str) -> None:
    said = run_nova(
        *verb.split(),
        DATABASE_URL=pooled,
        S3_BUCKET_NAME="photos",
        JWT_SECRET=SECRET,
    )
    assert said.returncode == 2
    assert "nova: the database is behind a pooler in transaction mode" in said.stderr


@pytest.mark.anyio
async def test_posts_are_published_and_read_while_tables_are_rebuilt(
    http: httpx.AsyncClient, settings: ApiSettings, database_url: str
) -> None:
    posts = [uuid4() for _ in range(20)]
    with Publishing(settings.database.url, pool_size=4, is_pooled=True) as publishing:
        for post_id in posts:
            for command in publishing_commands(post_id):
                await to_thread.run_sync(publishing.execute, command)
    caller = Caller(http, user_id=uuid4(), role="operator")
    answers: Counter[int] = Counter()
    is_over = anyio.Event()

    async def read() -> None:
        while not is_over.is_set():
            for post_id in posts:
                answer = await caller.get(f"/api/v1/posts/{post_id}")
                answers[answer.status_code] += 1

    connections = AsyncConnectionPool[AsyncConnection[object]](
        settings.database.url,
        kwargs=connection_options(is_pooled=True),
        configure=use_utc,
        open=False,
    )
    async with connections:
        await catch_up(connections, POSTS, position=None)
    async with anyio.create_task_group() as readers:
        for _ in range(READERS):
            readers.start_soon(read)
        for _ in range(REBUILDS):
            await rebuild(database_url, POSTS, report=lambda *_: None)
        is_over.set()
    assert set(answers) == {200}
    assert answers[200] >= len(posts)


def test_a_photo_is_published_by_processes_behind_the_pooler(
    pooled: str, database_url: str, jpeg: bytes
) -> None:
    environ = {"DATABASE_URL": pooled, "DATABASE_DIRECT_URL": database_url}
    with run_local_stack(environ) as stack:
        for _ in range(2):
            migrated = run_nova("migrate", **stack.environ)
            assert (migrated.returncode, migrated.stderr) == (0, "")
        with httpx.Client(base_url=stack.url, timeout=30) as http:
            app = App(http, secret=stack.environ["JWT_SECRET"])
            post = app.wait_until_final(app.upload(jpeg))
        assert post["status"] == "published", post
        rebuilt = run_nova("projections", "rebuild", "posts", **stack.environ)
        assert rebuilt.returncode == 0, rebuilt.stderr
