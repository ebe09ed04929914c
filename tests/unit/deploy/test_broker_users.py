"""The rights of a service at the broker cover the topology of contracts/topology.py, and end there."""

import re
import runpy
from pathlib import Path

import pytest

from contracts import topology

DEPLOY = Path(__file__).parents[3] / "deploy"
RIGHTS: dict[str, str] = runpy.run_path(str(DEPLOY / "rabbitmq" / "users.py"))["RIGHTS"]
QUEUES = [queue for queue in vars(topology).values() if isinstance(queue, topology.Queue)]
OURS = [topology.EXCHANGE, *(name for queue in QUEUES for name in (queue.name, queue.dead, queue.mark))]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("right", ["configure", "write", "read"])
def test_what_is_ours_is_allowed(right: str, name: str) -> None:
    assert re.search(RIGHTS[right], name)


@pytest.mark.parametrize(
    "name", ["", "amq.topic", "orders", "xshop.events", "shop.events.x", "shopxevents", "catalog.payments.x"]
)
@pytest.mark.parametrize("right", ["configure", "write", "read"])
def test_nothing_else_is(right: str, name: str) -> None:
    assert not re.search(RIGHTS[right], name)


def test_dead_letters_go_through_the_default_exchange() -> None:
    assert [right for right, pattern in RIGHTS.items() if re.search(pattern, "amq.default")] == ["write"]
