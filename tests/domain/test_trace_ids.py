"""Trace ids: what one request led to is one trace, whichever process it happened in."""

from uuid import UUID

from domain.trace_ids import span_id_of, trace_id_of

ID = UUID("5f3759df-0000-4000-8000-000000000001")


def test_a_trace_has_the_id_of_its_request() -> None:
    assert f"{trace_id_of(ID):032x}" == ID.hex


def test_a_span_has_the_last_64_bits_of_its_event() -> None:
    assert f"{span_id_of(ID):016x}" == ID.hex[16:]
