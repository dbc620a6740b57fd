"""Fixtures: a stack that tests may break, and an app that retries."""

from collections.abc import Iterator

import httpx
import pytest

from api.stack.local import LocalStack
from tests.acceptance.stacks import run_local_stack
from tests.faults.patient_app import PatientApp


@pytest.fixture(scope="package")
def stack() -> Iterator[LocalStack]:
    """One stack for all faults: its supervisor starts again what was killed."""
    with run_local_stack() as stack:
        yield stack


@pytest.fixture
def app(stack: LocalStack) -> Iterator[PatientApp]:
    """An app of a user of its own."""
    with httpx.Client(base_url=stack.url, timeout=30) as http:
        yield PatientApp(http, secret=stack.environ["JWT_SECRET"])
