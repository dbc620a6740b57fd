"""Refusals: problem documents for requests that never reach the application."""

import msgspec

from api.http.errors import ApiError
from api.http.problems.problem import MEDIA_TYPE
from api.http.problems.types import PROBLEM_TYPES


def refusal(error: ApiError) -> bytes:
    """A whole HTTP/1.1 response that closes the connection."""
    problem_type = PROBLEM_TYPES[type(error)]
    body = msgspec.json.encode(problem_type.problem(str(error)))
    headers = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "connection": "close",
        **problem_type.headers,
    }
    lines = [f"HTTP/1.1 {int(problem_type.status)} {problem_type.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def reason_of(error: ApiError) -> str:
    """The slug of the problem, for the metric."""
    return PROBLEM_TYPES[type(error)].slug
