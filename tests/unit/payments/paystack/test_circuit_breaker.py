"""The circuit breaker: calls stop while Paystack does not answer, and one call probes whether it answers again."""

from services.payments.paystack.circuit_breaker import FAILURES, CircuitBreaker
from tests.fakes.paystack import Clock
from tests.fixtures.metrics import metric


def test_circuit_when_calls_fail_in_a_row_opens_with_growing_pauses() -> None:
    clock = Clock()
    circuit = CircuitBreaker(clock)
    for _ in range(FAILURES - 1):
        circuit.record_failure()
    circuit.record_response()
    for _ in range(FAILURES - 1):
        circuit.record_failure()
    assert metric("paystack_circuit_open") == 0
    circuit.record_failure()
    assert metric("paystack_circuit_open") == 1
    pauses = []
    for _ in range(8):
        assert not circuit.allow()
        pauses.append(circuit.seconds_until_retry())
        circuit.record_failure()  # this call was on its way when the circuit opened
        assert circuit.seconds_until_retry() == pauses[-1]
        clock.now += circuit.seconds_until_retry()
        assert circuit.allow()
        assert not circuit.allow()  # a single call probes
        circuit.record_failure()
    assert 4 <= pauses[0] <= 6
    assert pauses[3] > 4 * pauses[0]
    assert max(pauses) <= 360
    clock.now += circuit.seconds_until_retry()
    assert circuit.allow()
    circuit.record_response()
    assert not circuit.open
    assert metric("paystack_circuit_open") == 0


def test_circuit_when_a_probe_never_ends_allows_another_probe() -> None:
    clock = Clock()
    circuit = CircuitBreaker(clock)
    for _ in range(FAILURES):
        circuit.record_failure()
    clock.now += circuit.seconds_until_retry()
    assert circuit.allow()
    clock.now += circuit.seconds_until_retry()
    assert circuit.allow()
