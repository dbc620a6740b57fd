"""Responses that several routes give, and how the OpenAPI document shows their problems."""

from http import HTTPStatus
from typing import Final

from litestar import Response
from litestar.openapi.datastructures import ResponseSpec

from api.http.problems import MEDIA_TYPE, Problem
from api.http.schemas.posts import UploadCompleted
from domain.post import Post

# Most photos are published by then.
LOOK_AGAIN_SECONDS: Final = 1


def problem_responses(*statuses: int) -> dict[int, ResponseSpec]:
    """Document problem details for these statuses, and for a question that cannot be read."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
        )
        for status in (400, *statuses)
    }


def answer(shape: type) -> dict[int, ResponseSpec]:
    """Document what a route gives that encodes its answer itself."""
    return {200: ResponseSpec(shape, generate_examples=False, description=HTTPStatus.OK.phrase)}


def being_published(post: Post) -> Response[UploadCompleted]:
    """The photo is accepted: where to look for it, and when."""
    return Response(
        UploadCompleted(post_id=post.id, status="processing", image_key=post.image_key),
        headers={
            "Location": f"/api/v1/posts/{post.id}",
            "Retry-After": str(LOOK_AGAIN_SECONDS),
        },
    )
