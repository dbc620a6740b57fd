"""The OpenAPI document is true and readable: names, descriptions, examples, bounds, security."""

import re
from typing import Any

import msgspec
import pytest

from api.http.openapi.schemas import MissingExample, example_of
from api.http.problems.problem import Problem
from api.http.problems.types import PROBLEM_TYPES
from api.http.schemas.capabilities import Capabilities
from api.http.schemas.health import Health
from api.http.schemas.parts import PartsPresigned, PresignParts
from api.http.schemas.posts import EditPost, PostPage
from api.http.schemas.uploads import CompleteUpload, InitUpload, RenewUrl, UploadOpened
from projections.audit.histories import PostHistory
from tests.api.http.openapi_document import OPEN, document, nodes, operations

LARGEST_EXACT_INTEGER = 2**53 - 1


def test_operations_have_short_names() -> None:
    assert {name for name, _ in operations()} == {
        "initUpload",
        "renewUploadUrl",
        "presignParts",
        "completeUpload",
        "getPost",
        "listPosts",
        "editPost",
        "deletePost",
        "retryPost",
        "getPostHistory",
        "getPostState",
        "listEvents",
        *OPEN,
    }


def test_every_operation_is_described_and_belongs_to_a_described_group() -> None:
    tags = {tag["name"]: tag["description"] for tag in document()["tags"]}
    for name, operation in operations():
        assert operation["summary"], name
        assert operation["description"], name
        assert all(tags[tag] for tag in operation["tags"]), name
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (name, parameter["name"])
            assert parameter["examples"], (name, parameter["name"])
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            assert "X-Correlation-ID" in response["headers"], (name, status)
            assert all(header["description"] for header in response["headers"].values())


def test_every_schema_and_field_is_described_with_an_example() -> None:
    schemas = document()["components"]["schemas"]
    for name, schema in schemas.items():
        assert schema["description"], name
        assert schema["examples"], name
        for field, described in schema["properties"].items():
            assert any("description" in each or "$ref" in each for each in nodes(described)), (
                name,
                field,
            )


@pytest.mark.parametrize(
    "struct",
    [
        InitUpload,
        UploadOpened,
        RenewUrl,
        PresignParts,
        PartsPresigned,
        CompleteUpload,
        EditPost,
        PostPage,
        PostHistory,
        Capabilities,
        Health,
        Problem,
    ],
)
def test_an_example_is_what_the_api_reads_and_writes(struct: type[msgspec.Struct]) -> None:
    example = example_of(struct)

    assert set(msgspec.to_builtins(msgspec.convert(example, struct, strict=False))) >= set(example)


def test_a_field_without_an_example_is_an_error() -> None:
    class Wordless(msgspec.Struct):
        field: int

    with pytest.raises(MissingExample):
        example_of(Wordless)


def test_patterns_are_read_alike_by_every_engine() -> None:
    patterns = {
        each["pattern"] for each in nodes(document()) if isinstance(each.get("pattern"), str)
    }
    assert patterns
    for pattern in patterns:
        # Anchors, classes and bounded repetition: nothing that is an escape in Python alone.
        assert re.fullmatch(r"\^(\[[^\]]+\]|\{\d+\}|\*)+\$", pattern), pattern


def test_numbers_are_exact_in_javascript() -> None:
    for each in nodes(document()):
        for bound in ("minimum", "maximum"):
            if isinstance(each.get(bound), int | float):
                assert abs(each[bound]) <= LARGEST_EXACT_INTEGER


def test_bodies_take_no_other_fields_and_enums_are_enums() -> None:
    schemas = document()["components"]["schemas"]
    for name in ("InitUpload", "RenewUrl", "PresignParts", "CompleteUpload", "EditPost"):
        assert schemas[name]["additionalProperties"] is False
    assert "image/jpeg" in schemas["InitUpload"]["properties"]["content_type"]["enum"]
    status = schemas["PostView"]["properties"]["status"]
    assert set(status["enum"]) == {"pending", "processing", "published", "failed"}
    assert status["type"] == "string"


def test_parameters_that_may_be_left_out_are_never_null() -> None:
    for name, operation in operations():
        for parameter in operation.get("parameters", []):
            assert isinstance(parameter["schema"]["type"], str), (name, parameter["name"])
            assert None not in parameter["schema"].get("enum", [])


def test_open_operations_need_no_token_and_the_others_say_401() -> None:
    for name, operation in operations():
        if name in OPEN:
            optional = name in {"getHealth", "getReadiness"}
            assert operation["security"] == ([{}, {"BearerToken": []}] if optional else [])
            assert ("401" in operation["responses"]) == optional
        else:
            assert "security" not in operation
            headers = operation["responses"]["401"]["headers"]
            assert "WWW-Authenticate" in headers
            assert "Retry-After" in operation["responses"]["503"]["headers"]


def test_every_problem_in_the_document_is_one_that_the_api_has() -> None:
    slugs = {each.slug for each in PROBLEM_TYPES.values()}
    for name, operation in operations():
        for status, response in operation["responses"].items():
            problems: dict[str, Any] = response.get("content", {}).get("application/problem+json")
            if problems:
                assert set(problems["examples"]) <= slugs, name
                for example in problems["examples"].values():
                    assert str(example["value"]["status"]) == status
                    assert example["value"]["detail"], (name, example)


def test_the_stream_of_events_is_described() -> None:
    events = dict(operations())["listEvents"]["responses"]["200"]["content"]
    assert set(events) == {"application/json", "application/x-ndjson"}
