"""Two stacks at the same time get different ports."""

from collections.abc import Iterator
from io import StringIO

import pytest

from dev.process import ports
from dev.process.console import Console
from dev.process.program import NotStarted
from dev.stack.addresses import usual_ports
from dev.stack.names import APIS, WORKERS, variable_prefix

NAMES = [*APIS, *WORKERS]


@pytest.fixture
def reserved() -> Iterator[list[int]]:
    """The ports that a test has reserved."""
    found: list[int] = []
    yield found
    ports.release(found)


def test_usual_ports_when_chosen_twice_are_different_and_the_second_are_announced(reserved: list[int]) -> None:
    said = StringIO()
    console = Console(status=said)
    first = usual_ports(NAMES, console)
    reserved += first.values()
    second = usual_ports(NAMES, console)
    reserved += second.values()
    console.close()
    assert len({*first.values(), *second.values()}) == 2 * len(NAMES)
    for name, port in second.items():
        assert f"{name} gets port {port}" in said.getvalue()


@pytest.mark.parametrize("name", ["auth", "payments-worker"])
def test_port_from_the_environment_when_it_is_taken_is_an_error_and_no_port_stays_reserved(
    name: str, monkeypatch: pytest.MonkeyPatch, reserved: list[int]
) -> None:
    taken, free = ports.reserve_free(2)
    ports.release([free])
    reserved.append(taken)
    monkeypatch.setenv("CATALOG_PORT", str(free))
    monkeypatch.setenv(f"{variable_prefix(name)}_PORT", str(taken))
    with pytest.raises(NotStarted, match=f"{variable_prefix(name)}_PORT={taken}: the port is in use"):
        usual_ports(["catalog", name], Console())
    assert ports.reserve(free)
    reserved.append(free)
