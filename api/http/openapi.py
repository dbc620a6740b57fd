"""OpenAPI: what the document says about responses that Litestar cannot derive from a handler."""

from http import HTTPStatus

from litestar.openapi.datastructures import ResponseSpec

from api.http.problems import MEDIA_TYPE, Problem


def problem_responses(*statuses: int) -> dict[int, ResponseSpec]:
    """Document problem details for `statuses`, and for an invalid request."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
        )
        for status in (HTTPStatus.BAD_REQUEST, *statuses)
    }


def json_response(schema: type) -> dict[int, ResponseSpec]:
    """Document the response of a handler that encodes it without Litestar."""
    return {200: ResponseSpec(schema, generate_examples=False, description=HTTPStatus.OK.phrase)}
