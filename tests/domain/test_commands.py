"""Commands: who issues one, and what caused it."""

from uuid import uuid4

from domain.commands import origin_of_request
from tests.histories import NOON


def test_requests_with_the_same_correlation_id_are_causes_of_their_own() -> None:
    chosen = uuid4()
    one, other = (
        origin_of_request(actor=f"user:{user}", at=NOON, correlation_id=chosen) for user in "ab"
    )
    assert one.correlation_id == other.correlation_id == chosen
    assert len({one.causation_id, other.causation_id, chosen}) == 3
    assert one.command_id != other.command_id
