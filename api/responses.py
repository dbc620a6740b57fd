"""Responses: how the OpenAPI document shows the problems that a route can answer with."""

from http import HTTPStatus

from litestar.openapi.datastructures import ResponseSpec

from api.problems import MEDIA_TYPE, Problem


def problem_responses(*statuses: int) -> dict[int, ResponseSpec]:
    """Document problem details for these statuses."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
        )
        for status in statuses
    }
