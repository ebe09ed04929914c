"""The trace context of the current work."""

import pytest
import structlog

from kit.observability.tracing import continue_trace, new_traceparent, traceparent, valid_traceparent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def bound() -> object:
    return structlog.contextvars.get_contextvars().get("trace_id")


@pytest.fixture(autouse=True)
def no_trace() -> None:
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("value", [None, "", "00-zz", TRACE.upper(), TRACE + "-x", "ff" + TRACE[2:], "é" * 55, 5, b"x"])
def test_anything_but_a_trace_context_is_invalid(value: object) -> None:
    assert valid_traceparent(value) is None


def test_a_new_trace_context_is_valid() -> None:
    assert valid_traceparent(new_traceparent()) is not None
    assert new_traceparent() != new_traceparent()


def test_continue_trace_binds_the_trace_id_inside_the_block_only() -> None:
    before = traceparent(), bound()
    with continue_trace(TRACE):
        assert (traceparent(), bound()) == (TRACE, TRACE[3:35])
        with continue_trace(OTHER):
            assert (traceparent(), bound()) == (OTHER, OTHER[3:35])
        assert (traceparent(), bound()) == (TRACE, TRACE[3:35])
    assert (traceparent(), bound()) == before


def test_continue_trace_restores_the_trace_after_an_error() -> None:
    before = traceparent(), bound()
    with pytest.raises(ValueError, match="x"), continue_trace(TRACE):
        raise ValueError("x")
    assert (traceparent(), bound()) == before


@pytest.mark.parametrize("value", [None, "", "nonsense"])
def test_continue_trace_without_a_valid_trace_keeps_the_current_one(value: str | None) -> None:
    with continue_trace(TRACE), continue_trace(value):
        assert (traceparent(), bound()) == (TRACE, TRACE[3:35])


def test_continue_trace_without_any_trace_starts_one() -> None:
    with continue_trace(None):
        assert valid_traceparent(traceparent()) is not None
        assert bound() == (traceparent() or "")[3:35]
