"""Classes of routes: requests of one class share a bucket."""

from typing import Any, Final, Literal, TypeAlias, get_args

RouteClass: TypeAlias = Literal["init", "complete", "retry", "edit", "read", "audit", "anonymous"]
ROUTE_CLASSES: Final[tuple[RouteClass, ...]] = get_args(RouteClass)

# A user behind the same address as others has room for itself.
ADDRESSES_PER_USER: Final = 10

_BY_OPERATION: Final[dict[str, RouteClass]] = {
    "initUpload": "init",
    "renewUploadUrl": "init",
    "presignParts": "init",
    "completeUpload": "complete",
    "retryPost": "retry",
    "editPost": "edit",
    "deletePost": "edit",
    "getPost": "read",
    "listPosts": "read",
    "getPostHistory": "audit",
    "getPostState": "audit",
    "listEvents": "audit",
    "getCapabilities": "anonymous",
}
# What load balancers ask: a flood must not take an instance out of service.
_UNLIMITED: Final = frozenset({"/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready"})


def class_of(scope: Any) -> RouteClass | None:  # noqa: ANN401 - Litestar's scopes of all kinds
    """The class of the route of a request; None for one that has no limits."""
    if scope["type"] != "http" or scope["method"] == "OPTIONS":
        return None
    if scope.get("path_template") in _UNLIMITED:
        return None
    return class_of_operation(getattr(scope["route_handler"], "operation_id", None))


def class_of_operation(operation_id: object) -> RouteClass:
    """The class of an operation of the document; pages and media have none, and need no token.

    Raises:
        KeyError: a new operation is not in the table.
    """
    return _BY_OPERATION[operation_id] if isinstance(operation_id, str) else "anonymous"
