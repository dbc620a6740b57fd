"""Queries: their parameters are those of the operation, each at most once."""

from collections import Counter
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request
from litestar.routes import HTTPRoute

from api.http.errors import InvalidQuery


async def require_known_parameters(request: Request[Any, Any, Any]) -> None:
    """Check the names of the query parameters, before the operation runs.

    A misspelt filter would otherwise return everything.

    Raises:
        InvalidQuery: a name is unknown or repeated.
    """
    query = request.scope["query_string"]
    if not query:
        return
    given = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    known = _names_of(request)
    if unknown := sorted(given.keys() - known):
        raise InvalidQuery(f"Remove unknown parameters: {ascii(unknown)[1:-1]:.200}.")
    if repeated := sorted(name for name, times in given.items() if times > 1):
        raise InvalidQuery(f"Pass each parameter once: {', '.join(repeated)}.")


def _names_of(request: Request[Any, Any, Any]) -> set[str]:
    """The parameters of the operation and of what it depends on."""
    handler = request.route_handler
    for route in request.app.routes:
        if isinstance(route, HTTPRoute) and route.path_format == request.scope["path_template"]:
            _, model = route.route_handler_map[request.method]
            return {each.field_alias for each in model.expected_query_params}
    raise LookupError(handler)
