"""Fixtures: a stack that tests may break, and an app that retries."""

from collections.abc import Iterator

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from api.stack.local import LocalStack, local_stack
from tests.faults.patient_app import PatientApp
from tests.servers import temporary_stack_folder


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """One stack for all faults: its supervisor starts again what was killed."""
    with temporary_stack_folder() as folder, start_blocking_portal() as portal:
        context = local_stack(
            folder=folder, port=None, environ={"JOB_QUEUE_CAPACITY": "1000"}, report=print
        )
        with portal.wrap_async_context_manager(context) as stack:
            yield stack


@pytest.fixture
def app(stack: LocalStack) -> Iterator[PatientApp]:
    """An app of a user of its own."""
    with httpx.Client(base_url=stack.url, timeout=30) as http:
        yield PatientApp(http, secret=stack.environ["JWT_SECRET"])
