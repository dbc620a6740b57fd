"""Generated requests of every kind: no server error, and no answer that is not documented."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from litestar import Litestar
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Ok

from api.http.app import create_app
from api.http.authentication.tokens import create_token
from api.http.authentication.users import Role, User
from api.http.resources import Resources, resources_with
from api.settings import ApiSettings
from tests.api.http.caller import SECRET
from tests.api.http.uploads import announcement
from tests.fake_object_store import FakeObjectStore

STARTED_WITHIN_SECONDS: Final = 20
# Enough to meet each parameter and field with right and wrong values, in a minute for all.
EXAMPLES: Final = 60
CHECKS: Final = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def headers(role: Role) -> dict[str, str]:
    token = create_token(SECRET, User(id=uuid4(), role=role))
    return {"Authorization": f"Bearer {token}"}


AUDITOR: Final = headers("auditor")


@contextmanager
def serving(app: Litestar) -> Iterator[str]:
    """The URL of the application, served by a thread."""
    config = uvicorn.Config(app, port=0, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + STARTED_WITHIN_SECONDS
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def api(settings: ApiSettings, store: FakeObjectStore) -> Iterator[str]:
    def open_resources(settings: ApiSettings) -> AbstractAsyncContextManager[Resources]:
        return resources_with(store, settings)

    with serving(create_app(settings, open_resources=open_resources)) as url:
        yield url


def documented(url: str) -> Iterator[tuple[str, Any]]:
    """Every operation of the document that the API serves, with its label."""
    for result in schemathesis.openapi.from_url(f"{url}/docs/openapi.json").get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        yield operation.label, operation


def failures_of(operation: Any, call: Callable[[Any], None], *, examples: int) -> str | None:
    """Call an operation with generated requests; what is wrong with its answers, if anything."""
    valid, invalid = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
    generated = given(case=valid | invalid)
    bounded = hypothesis_settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )

    @bounded
    @generated
    def call_each(case: Any) -> None:
        call(case)

    try:
        call_each()
    except BaseExceptionGroup as group:
        return "\n".join(str(error) for error in group.exceptions)
    except schemathesis.errors.SchemathesisError as error:
        return str(error)
    return None


def test_every_answer_is_documented(api: str) -> None:
    def call(case: Any) -> None:
        case.call_and_validate(headers=AUDITOR, checks=CHECKS)
        if "post_id" in (case.path_parameters or {}):
            opened = httpx.post(
                f"{api}/api/v1/posts/upload/init", json=announcement(), headers=AUDITOR
            )
            case.path_parameters["post_id"] = opened.json()["post_id"]
            case.call_and_validate(headers=AUDITOR, checks=CHECKS)

    wrong = {
        name: failures
        for name, operation in documented(api)
        if (failures := failures_of(operation, call, examples=EXAMPLES))
    }

    assert wrong == {}, "\n".join(wrong.values())


def test_answers_without_a_token_are_documented(api: str) -> None:
    def call(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": "Bearer nonsense"}, checks=CHECKS)

    wrong = {
        name: failures
        for name, operation in documented(api)
        if (failures := failures_of(operation, call, examples=2))
    }

    assert wrong == {}, "\n".join(wrong.values())
