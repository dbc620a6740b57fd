"""API, projector and image processes that die at an exact moment; see test_workers for workers."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from api.stack.local import LocalStack
from api.stack.ports import choose_ports
from domain.events import topic_of
from domain.recipes import RECIPES
from tests.acceptance.app import App
from tests.api.stack.running import wait_until
from tests.faults.invariants import assert_nothing_lost, history
from tests.faults.patient_app import PatientApp
from tests.faults.processes import PROJECTOR, dying, is_ready, script, stack_without, working
from tests.faults.secret_leaks import CAPTION

PUBLISHED_ONCE = [
    "post.created",
    "post.uploaded",
    *["post.variant_ready"] * len(RECIPES),
    "post.published",
]
POSTS = 3
PUBLISHED = "SELECT count(*) FROM posts WHERE status = 'published'"
# Of the first batch with events, the rows are written and the position is not.
DIES_BETWEEN = f"""
import os, pathlib, signal, sys
from projections.follow import batch
from psycopg import AsyncCursor

marker, execute = pathlib.Path(sys.argv[1]), AsyncCursor.execute

async def execute_or_die(self, query, params=None, **named):
    if query is batch._ADVANCE and params["projection"] == "posts":
        # The answer to a question shows that the server has done all that was sent before it.
        rows = self.connection.cursor()
        await execute(rows, {PUBLISHED!r})
        marker.write_text(str(*await rows.fetchone()))
        os.kill(os.getpid(), signal.SIGKILL)
    return await execute(self, query, params, **named)

AsyncCursor.execute = execute_or_die
sys.argv = ["nova", "projector"]
from api.cli.main import main
main()
"""
# Of the first batch with events, both are written.
DIES_AFTER = """
import os, pathlib, signal, sys
from projections.follow import runner

marker, project = pathlib.Path(sys.argv[1]), runner.project_until_refused

async def project_and_die(connection, projection):
    batch = await project(connection, projection)
    if projection.name == "posts":
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return batch

runner.project_until_refused = project_and_die
sys.argv = ["nova", "projector"]
from api.cli.main import main
main()
"""
# A worker that has the first pictures rendered by processes that die at a step.
DYING_IMAGE_PROCESSES = """
import pathlib, sys
from tests.faults import dying_image_process
from transcoder.processes import image_process, pool

pictures, step, deaths = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

class DyingImageProcess(image_process.ImageProcess):
    async def render(self, content, content_type):
        with pictures.open("a") as begun:
            begun.write(".")
        is_fatal = len(pictures.read_text()) <= deaths
        fatal = content + dying_image_process.FATAL
        return await super().render(fatal if is_fatal else content, content_type)

program = (sys.executable, "-P", "-m", dying_image_process.__name__, step)
image_process.PROGRAM = program
pool.ImageProcess = DyingImageProcess
sys.argv = ["nova", "worker"]
from api.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A stack with an API alone: each test brings what it lets die, and what goes on."""
    with stack_without("worker", "projector", environ={}) as stack:
        yield stack


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        pytest.param(
            "domain.event_store.publishing:Publishing", "execute", id="before_reads_show_it"
        ),
        pytest.param("api.http.writer:Writer", "execute", id="after_reads_show_it"),
    ],
)
def test_an_api_that_dies_before_it_answers_complete_has_accepted_the_photo_once(
    stack: LocalStack, app: PatientApp, jpeg: bytes, tmp_path: Path, owner: str, name: str
) -> None:
    (port,) = choose_ports(["dying"], tmp_path / "ports.json").values()
    url, marker = f"http://127.0.0.1:{port}", tmp_path / "died"
    opened = app.init(jpeg, caption=CAPTION)
    app.put(opened, jpeg)
    post_id = opened["post_id"]
    command = dying("api", owner, name, marker=marker)
    with (
        working(stack, *command, environ={"APP_PORT": str(port)}) as victim,
        httpx.Client(base_url=url, timeout=30) as http,
    ):
        wait_until(lambda: is_ready(http, url))
        doomed = App(http, secret=stack.environ["JWT_SECRET"], user_id=app.user_id)
        with pytest.raises(httpx.TransportError):
            doomed.complete(opened)
        assert victim.wait(60) < 0
    assert marker.exists()
    # The client got no answer, but the event is stored, and so is its job.
    assert topics(stack, post_id) == PUBLISHED_ONCE[:2]
    assert app.complete(opened).status_code == 202
    with working(stack), working(stack, *PROJECTOR):
        (post,) = app.final([post_id])
        assert len(post["images"]) == len(RECIPES)
        assert_nothing_lost(stack, [post_id])
    assert topics(stack, post_id) == PUBLISHED_ONCE


def test_a_projector_that_dies_between_rows_and_position_has_written_neither(
    stack: LocalStack, app: PatientApp, jpeg: bytes, tmp_path: Path
) -> None:
    marker = tmp_path / "died"
    posts, position = published_unseen(stack, app, jpeg)
    others = number(stack, PUBLISHED)
    with working(stack, *script(DIES_BETWEEN, str(marker))) as victim:
        assert victim.wait(60) < 0
    # It had written them: it has seen them itself.
    assert int(marker.read_text()) == others + POSTS
    assert number(stack, PUBLISHED) == others
    assert visible(stack, posts) == (position, 0)
    with working(stack, *PROJECTOR):
        assert {post["status"] for post in app.final(posts)} == {"published"}
        wait_until(lambda: visible(stack, posts) == (head(stack), POSTS))
    assert_nothing_lost(stack, posts)


def test_a_projector_that_dies_right_after_its_commit_has_written_both(
    stack: LocalStack, app: PatientApp, jpeg: bytes, tmp_path: Path
) -> None:
    marker = tmp_path / "died"
    posts, position = published_unseen(stack, app, jpeg)
    assert visible(stack, posts) == (position, 0)
    with working(stack, *script(DIES_AFTER, str(marker))) as victim:
        assert victim.wait(60) < 0
    assert marker.exists()
    assert visible(stack, posts) == (head(stack), POSTS)
    more, _ = published_unseen(stack, app, jpeg)
    with working(stack, *PROJECTOR):
        assert {post["status"] for post in app.final(posts + more)} == {"published"}
        wait_until(lambda: visible(stack, more) == (head(stack), POSTS))
    assert_nothing_lost(stack, posts + more)


# Of the pipeline: the pixels are decoded and nothing is made; all is made and nothing handed over.
@pytest.mark.parametrize("step", ["convert_colour", "placeholder_of"])
def test_a_photo_whose_image_process_dies_is_published_by_the_second_try(
    stack: LocalStack, app: PatientApp, jpeg: bytes, tmp_path: Path, step: str
) -> None:
    pictures, said = tmp_path / "pictures", list[str]()
    command = script(DYING_IMAGE_PROCESSES, str(pictures), step, "1")
    with working(stack, *command, said=said), working(stack, *PROJECTOR):
        post_id = upload(app, jpeg)
        (post,) = app.final([post_id])
        assert post["status"] == "published", post
        assert_nothing_lost(stack, [post_id])
    assert len(pictures.read_text()) == 2
    assert "".join(said).count("renderer_crashed") == 1
    assert topics(stack, post_id) == PUBLISHED_ONCE


def test_a_photo_whose_image_process_dies_twice_fails_with_a_reason_and_may_be_tried_again(
    stack: LocalStack, app: PatientApp, jpeg: bytes, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    command = script(DYING_IMAGE_PROCESSES, str(pictures), "convert_colour", "2")
    with working(stack, *command), working(stack, *PROJECTOR):
        post_id = upload(app, jpeg)
        (post,) = app.final([post_id])
        assert (post["status"], post["failure"]["code"]) == ("failed", "renderer_crashed")
        assert len(pictures.read_text()) == 2
        # The worker is none the worse for it.
        other = upload(app, jpeg)
        assert app.final([other])[0]["status"] == "published"
        assert_nothing_lost(stack, [post_id, other])
        assert app.ask("POST", f"/posts/{post_id}/retry").status_code == 202
        wait_until(lambda: app.wait_until_final(post_id)["status"] == "published")
        assert_nothing_lost(stack, [post_id, other])
    ends = ["post.failed", "post.retried", *PUBLISHED_ONCE[2:]]
    assert topics(stack, post_id) == [*PUBLISHED_ONCE[:2], *ends]


def upload(app: PatientApp, content: bytes) -> str:
    """Publish a photo with a caption, which no log may show."""
    opened = app.init(content, caption=CAPTION)
    app.put(opened, content)
    assert app.complete(opened).status_code == 202
    post_id: str = opened["post_id"]
    return post_id


def published_unseen(stack: LocalStack, app: PatientApp, jpeg: bytes) -> tuple[list[str], int]:
    """Posts that no projector has seen the end of, and the position that the API has left."""
    posts = [upload(app, jpeg) for _ in range(POSTS)]
    position = visible(stack, posts)[0]
    with working(stack):
        wait_until(lambda: all(topics(stack, each) == PUBLISHED_ONCE for each in posts))
    return posts, position


def topics(stack: LocalStack, post_id: str) -> list[str]:
    """The topics of a post's events."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        return [topic_of(event) for event in history(connection, post_id)]


def visible(stack: LocalStack, posts: list[str]) -> tuple[int, int]:
    """The tracking position, and how many of the posts reads show as published."""
    return (
        number(stack, "SELECT position FROM projection_positions WHERE projection = 'posts'"),
        number(
            stack,
            f"{PUBLISHED} AND id = ANY (%s::uuid[])",
            posts,
        ),
    )


def head(stack: LocalStack) -> int:
    """The position of the last event."""
    return number(stack, "SELECT max(notification_id) FROM post_events")


def number(stack: LocalStack, question: str, *arguments: object) -> int:
    """A number from the database."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        row = connection.execute(question.encode(), arguments).fetchone()
    assert row is not None
    return int(row[0])
