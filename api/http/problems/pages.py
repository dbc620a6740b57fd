"""Pages: one per problem type, where its `type` leads, and one that lists them all."""

import json
import re
from html import escape
from typing import Final

from litestar import MediaType, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.http.problems.problem import PROBLEMS_PATH, ProblemType
from api.http.problems.types import PROBLEM_TYPES

# Nothing but the page: no script, no image, no style, no frame.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "public, max-age=3600",
}
BY_SLUG: Final = {each.slug: each for each in reversed([*PROBLEM_TYPES.values()])}


@get("/", include_in_schema=False, sync_to_thread=False)
def list_problems() -> Response[str]:
    """List every problem type."""
    rows = "".join(
        f'<tr><td><a href="{PROBLEMS_PATH}{each.slug}">{each.slug}</a></td>'
        f"<td>{int(each.status)}</td><td>{escape(each.title)}</td></tr>"
        for each in sorted(BY_SLUG.values(), key=lambda each: each.slug)
    )
    head = "<tr><th>Type</th><th>Status</th><th>Title</th></tr>"
    return _page("Problems", f"<table>{head}{rows}</table>")


@get("/{slug:str}", include_in_schema=False, sync_to_thread=False)
def read_problem(slug: FromPath[str]) -> Response[str]:
    """Explain one problem type."""
    if slug not in BY_SLUG:
        raise NotFoundException
    problem_type = BY_SLUG[slug]
    return _page(problem_type.title, _explanation(problem_type))


def _explanation(problem_type: ProblemType) -> str:
    example = problem_type.example()
    status = f"{int(problem_type.status)} {problem_type.status.phrase}"
    parts = [
        f"<p>Status {status}, type <code>{PROBLEMS_PATH}{problem_type.slug}</code></p>",
        f"<h2>What it means</h2><p>{_prose(problem_type.meaning)}</p>",
        f"<h2>What to do</h2><p>{escape(str(example.get('detail', '')))}</p>",
        f"<h2>Example</h2><pre>{escape(json.dumps(example, indent=2))}</pre>",
    ]
    if problem_type.headers:
        lines = "\n".join(f"{name}: {value}" for name, value in problem_type.headers.items())
        parts.append(f"<h2>Headers</h2><pre>{escape(lines)}</pre>")
    parts.append(f'<p><a href="{PROBLEMS_PATH}">All problems</a></p>')
    return "".join(parts)


def _prose(text: str) -> str:
    """A sentence as HTML: in the OpenAPI document, where it is Markdown, code has backticks."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _page(title: str, body: str) -> Response[str]:
    html = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - Nova Publishing</title></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )
    return Response(html, media_type=MediaType.HTML, headers=HEADERS)


problems_router = Router(PROBLEMS_PATH, route_handlers=[list_problems, read_problem])
