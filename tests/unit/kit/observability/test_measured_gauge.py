"""A gauge is exported only while somebody measures it."""

import pytest
from prometheus_client import REGISTRY, generate_latest

from kit.observability.measured_gauge import MeasuredGauge


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_gauge_is_exported_only_after_it_was_set_and_while_it_is_fresh() -> None:
    clock = Clock()
    gauge = MeasuredGauge("sample_waiting", "Waiting", ["queue"], max_age_seconds=60, clock=clock)
    try:
        assert b"sample_waiting" not in generate_latest()
        gauge.set(3, "orders")
        clock.now = 60.0
        gauge.set(0, "refunds")
        assert b'sample_waiting{queue="orders"} 3.0' in generate_latest()
        clock.now = 61.0
        assert REGISTRY.get_sample_value("sample_waiting", {"queue": "orders"}) is None
        assert REGISTRY.get_sample_value("sample_waiting", {"queue": "refunds"}) == 0.0
        clock.now = 121.0
        assert b"sample_waiting" not in generate_latest()
    finally:
        REGISTRY.unregister(gauge)


def test_a_second_gauge_of_the_same_name_is_refused() -> None:
    gauge = MeasuredGauge("sample_waiting", "Waiting")
    try:
        with pytest.raises(ValueError, match="Duplicated"):
            MeasuredGauge("sample_waiting", "Waiting")
    finally:
        REGISTRY.unregister(gauge)
