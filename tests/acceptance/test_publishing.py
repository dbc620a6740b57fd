"""Publishing end to end: real processes, real PostgreSQL, real S3, over HTTP."""

import io
import os
import re
import signal
from typing import Any

import httpx
import psycopg
import pytest
from PIL import Image

from api.stack.local import LocalStack
from domain.recipes import RECIPES
from tests.acceptance.app import App
from tests.api.stack.running import wait_until
from tests.transcoder import pictures


def history(stack: LocalStack, post_id: str) -> list[dict[str, Any]]:
    """The events of a post as stored."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT convert_from(state, 'UTF8')::jsonb FROM post_events"
            " WHERE originator_id = %s ORDER BY originator_version",
            [post_id],
        )
        return [row[0] for row in rows]


def test_a_photo_is_published_with_three_upright_variants_and_nothing_but_pixels(
    app: App, jpeg: bytes
) -> None:
    post = app.wait_until_final(app.upload(jpeg))
    assert post["status"] == "published", post
    for recipe in RECIPES:
        image = post["images"][recipe.variant]
        answer = app.http.get(image["url"])
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert len(answer.content) == image["file_size"] <= recipe.max_bytes
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert picture.size == (image["width"], image["height"])
            assert picture.width <= recipe.max_width
            assert picture.height <= recipe.max_height
            assert not picture.getexif()
            assert "icc_profile" not in picture.info
            assert picture.height > picture.width
            assert is_red(picture, at=(0.9, 0.1))
            assert not is_red(picture, at=(0.1, 0.1))


def is_red(picture: Image.Image, *, at: tuple[float, float]) -> bool:
    position = int(at[0] * picture.width), int(at[1] * picture.height)
    pixel = picture.convert("RGB").getpixel(position)
    assert isinstance(pixel, tuple)
    red, green, blue = pixel
    return red > 180 and green < 80 and blue < 80


def test_every_accepted_type_is_really_decoded(app: App, picture: Image.Image) -> None:
    accepted = app.http.get("/api/v1/capabilities").json()["content_types"]
    files = {
        "image/jpeg": pictures.jpeg(picture),
        "image/png": pictures.png(picture),
        "image/webp": pictures.webp(picture),
        "image/heic": pictures.heic(picture),
        "image/heif": pictures.heic(picture),
        "image/avif": pictures.avif(picture),
    }
    assert set(accepted) == set(files)
    posts = {type_: app.upload(content, content_type=type_) for type_, content in files.items()}
    for post_id in posts.values():
        post = app.wait_until_final(post_id)
        assert post["status"] == "published", post
        assert len(post["blurhash"]) > 20
        assert re.fullmatch("#[0-9a-f]{6}", post["dominant_colour"])


def test_the_history_of_a_post_tells_its_story_in_order(
    app: App, stack: LocalStack, jpeg: bytes
) -> None:
    post_id = app.upload(jpeg)
    app.wait_until_final(post_id)
    events = history(stack, post_id)
    assert [event["type"] for event in events] == [
        "post.created",
        "post.uploaded",
        *["post.variant_ready"] * len(RECIPES),
        "post.published",
    ]
    times = [event["recorded_at"] for event in events]
    assert times == sorted(times)
    assert {event["actor"] for event in events} == {f"user:{app.user_id}", "system:transcoder"}
    assert len({event["correlation_id"] for event in events[1:]}) == 1
    assert {event["causation_id"] for event in events[2:]} == {events[1]["event_id"]}
    encoders = {event["variant"]["encoder"] for event in events[2:-1]}
    assert len(encoders) == 1
    assert re.match(
        r"simplejpeg [\d.]+, opencv-\S+ [\d.]+, cykooz-resizer [\d.]+, pyvips-binary [\d.]+",
        encoders.pop(),
    )
    removed = {tuple(event["variant"]["removed_metadata"]) for event in events[2:-1]}
    assert removed == {("exif", "gps")}


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda jpeg: jpeg[: len(jpeg) * 2 // 3], "corrupt_image"),
        (lambda jpeg: b"\x89PNG\r\n\x1a\n" + jpeg, "content_type_mismatch"),
        (lambda jpeg: b"GIF89a" + jpeg, "not_an_image"),
    ],
)
def test_a_file_that_is_no_good_photo_fails_with_a_message_for_people(
    app: App, jpeg: bytes, damage: Any, code: str
) -> None:
    post = app.wait_until_final(app.upload(damage(jpeg)))
    assert post["status"] == "failed"
    assert post["failure"]["code"] == code
    assert "lease" in post["failure"]["message"]
    assert post["images"] == {}


def test_a_put_that_is_repeated_is_answered_412_and_complete_succeeds(
    app: App, jpeg: bytes
) -> None:
    opened = app.init(jpeg)
    assert app.put(opened, jpeg).status_code == 200
    assert app.put(opened, jpeg).status_code == 412
    assert app.complete(opened).status_code == 202
    again = app.complete(opened)
    assert (again.status_code, again.json()["status"]) == (202, "processing")
    assert app.wait_until_final(opened["post_id"])["status"] == "published"


def test_a_fresh_url_works_like_the_first(app: App, jpeg: bytes) -> None:
    opened = app.init(jpeg)
    said = {"upload_token": opened["upload_token"]}
    renewed = app.ask("POST", f"/posts/{opened['post_id']}/upload/presign", said).json()
    assert app.put(renewed, jpeg).status_code == 200
    assert app.complete(opened).status_code == 202


def test_the_bucket_is_private(app: App, jpeg: bytes, stack: LocalStack) -> None:
    opened = app.init(jpeg)
    app.put(opened, jpeg)
    without_signature = opened["presigned_url"].split("?")[0]
    assert httpx.get(without_signature).status_code == 403
    assert httpx.get(stack.environ["S3_ENDPOINT_URL"] + "/nova-photos").status_code == 403
    assert app.http.get(f"/media/uploads/{opened['post_id']}/original").status_code == 404


def test_a_deleted_post_is_gone_at_once(app: App, jpeg: bytes) -> None:
    post_id = app.upload(jpeg)
    post = app.wait_until_final(post_id)
    assert app.ask("DELETE", f"/posts/{post_id}").status_code == 204
    assert app.ask("GET", f"/posts/{post_id}").status_code == 404
    assert app.ask("GET", f"/posts?user_id={app.user_id}").json()["items"] == []
    assert app.http.get(post["images"]["medium"]["url"]).status_code == 404


def test_posts_whose_worker_is_killed_are_published_all_the_same(
    app: App, stack: LocalStack, jpeg: bytes
) -> None:
    post_ids = [app.upload(jpeg) for _ in range(4)]
    killed = stack.pids["worker"]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: stack.pids.get("worker", killed) != killed)
    posts = [app.wait_until_final(post_id) for post_id in post_ids]
    assert [post["status"] for post in posts] == ["published"] * 4
    for post_id in post_ids:
        types = [event["type"] for event in history(stack, post_id)]
        assert (types.count("post.variant_ready"), types.count("post.published")) == (3, 1)
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        waiting = connection.execute(
            "SELECT count(*) FROM procrastinate_jobs"
            " WHERE status = 'todo' AND queue_name = 'transcode'"
        ).fetchone()
    assert waiting == (0,)


def test_reads_go_on_agreeing_with_writes_while_the_projector_is_dead(
    app: App, stack: LocalStack, jpeg: bytes
) -> None:
    os.kill(stack.pids["projector"], signal.SIGKILL)
    opened = app.init(jpeg)
    assert app.ask("GET", f"/posts/{opened['post_id']}").json()["status"] == "pending"
    app.put(opened, jpeg)
    app.complete(opened)
    assert app.ask("GET", f"/posts/{opened['post_id']}").json()["status"] != "pending"
    assert app.wait_until_final(opened["post_id"])["status"] == "published"
