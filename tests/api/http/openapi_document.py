"""The OpenAPI document of an API that no server needs to run for."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from litestar import Litestar

from api.http.app import create_app
from api.settings import ApiSettings
from domain.settings import load_settings
from tests.api.http.caller import SECRET

OPEN: Final = frozenset({"getCapabilities", "getHealth", "getLiveness", "getReadiness"})


def app_without_servers(**environ: str) -> Litestar:
    """An application whose lifespan is never entered, which keeps no buckets of tokens either."""
    required = {"DATABASE_URL": "postgresql:///none", "S3_BUCKET_NAME": "none", "LIMITS": "false"}
    return create_app(load_settings(ApiSettings, {**required, "JWT_SECRET": SECRET, **environ}))


@cache
def document() -> dict[str, Any]:
    """The document, as JSON."""
    return app_without_servers().openapi_schema.to_schema()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation, with its id."""
    for item in document()["paths"].values():
        for operation in item.values():
            yield operation["operationId"], operation


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document, examples left out."""
    if isinstance(node, dict):
        yield node
        for name, value in node.items():
            if name not in {"example", "examples"}:
                yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)
