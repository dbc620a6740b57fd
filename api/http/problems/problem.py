"""Problem details (RFC 9457): what a client gets of an error, and what a type of them is."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct, field

MEDIA_TYPE: Final = "application/problem+json"
# The type of a problem is this path and its slug, whatever the host of the API.
PROBLEMS_PATH: Final = "/problems/"


class FieldError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong with one field of the body, or with one parameter."""

    detail: Annotated[
        str,
        Meta(
            description="What is wrong, in a sentence for developers.",
            examples=["Expected `int`, got `str`"],
        ),
    ]
    pointer: Annotated[
        str | None,
        Meta(
            description="JSON Pointer to the field of the body (RFC 6901).",
            examples=["#/file_size"],
        ),
    ] = None
    parameter: Annotated[
        str | None,
        Meta(description="Name of the query or path parameter.", examples=["limit"]),
    ] = None


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details (RFC 9457): what went wrong with a request."""

    type: Annotated[
        str,
        Meta(
            description="Path of the page that explains this type. Stable: compare it with `==`.",
            examples=[PROBLEMS_PATH + "post-not-found"],
        ),
    ]
    title: Annotated[
        str,
        Meta(
            description="What went wrong; the same for every problem of the type.",
            examples=["Post not found"],
        ),
    ]
    status: Annotated[int, Meta(description="The HTTP status.", examples=[404])]
    detail: Annotated[
        str | None,
        Meta(
            description="What to do about it.",
            examples=["Check the id."],
        ),
    ] = None
    errors: Annotated[
        list[FieldError] | None,
        Meta(
            description="Every invalid field of the body, or the first invalid parameter.",
            examples=[[{"pointer": "#/file_size", "detail": "Expected `int`, got `str`"}]],
        ),
    ] = None


class ProblemType(Struct, frozen=True):
    """How errors of one class are answered: with `detail`, or with the error's own message.

    `sample` is one of these messages, for the documentation.
    """

    slug: str
    status: HTTPStatus
    title: str
    meaning: str
    detail: str | None = None
    sample: str | None = None
    errors: list[FieldError] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def problem(self, message: str, *, errors: list[FieldError] | None = None) -> Problem:
        """A problem of this type; `message` is that of the error."""
        return Problem(
            type=PROBLEMS_PATH + self.slug,
            title=self.title,
            status=self.status,
            detail=self.detail or message,
            errors=errors,
        )

    def example(self) -> dict[str, Any]:
        """A problem of this type, as JSON, for the documentation."""
        problem = self.problem(self.sample or "", errors=self.errors)
        example: dict[str, Any] = msgspec.to_builtins(problem)
        return example
