"""The metrics of requests: a client cannot create time series by inventing paths or methods."""

import pytest
from prometheus_client import REGISTRY

from api.http.observability.middleware import ObservabilityMiddleware
from tests.api.http.asgi import application, request

pytestmark = pytest.mark.anyio


def observed(method: str, route: str, status: int) -> float:
    """How many requests were counted under these labels."""
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("nova_http_request_seconds_count", labels) or 0


@pytest.mark.parametrize(
    ("method", "template", "labels"),
    [
        ("GET", "/api/v1/posts/{post_id}", ("GET", "/api/v1/posts/{post_id}", 404)),
        ("GET", None, ("GET", "none", 404)),
        ("INVENTED", None, ("other", "none", 404)),
    ],
)
async def test_a_request_is_counted_by_its_route_and_method_and_not_by_what_was_sent(
    method: str, template: str | None, labels: tuple[str, str, int]
) -> None:
    app = ObservabilityMiddleware(application(status=404, path_template=template), traced=False)
    before = observed(*labels)

    await request(app, "/invented/path", method=method)

    assert observed(*labels) == before + 1
