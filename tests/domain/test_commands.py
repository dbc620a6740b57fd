"""Commands: who issues one, and what caused it."""

from uuid import uuid4

from domain.commands import origin_of_request
from tests.histories import NOON


def test_a_command_that_no_event_caused_is_caused_by_its_request() -> None:
    request = uuid4()
    one, other = (
        origin_of_request(actor="user:me", at=NOON, correlation_id=request) for _ in range(2)
    )
    assert one.causation_id == one.correlation_id == request
    assert one.command_id != other.command_id
