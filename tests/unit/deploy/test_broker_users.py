"""The permissions of a service at the broker cover the topology of contracts/topology.py, and end there."""

import re
import runpy
from pathlib import Path

import pytest

from contracts import topology

DEPLOY = Path(__file__).parents[3] / "deploy"
PERMISSIONS: dict[str, str] = runpy.run_path(str(DEPLOY / "rabbitmq" / "users.py"))["PERMISSIONS"]
QUEUES = [queue for queue in vars(topology).values() if isinstance(queue, topology.Queue)]
OURS = [topology.EXCHANGE, *(name for queue in QUEUES for name in (queue.name, queue.dead, queue.mark))]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("permission", ["configure", "write", "read"])
def test_what_is_ours_is_allowed(permission: str, name: str) -> None:
    assert re.search(PERMISSIONS[permission], name)


@pytest.mark.parametrize(
    "name", ["", "amq.topic", "orders", "xshop.events", "shop.events.x", "shopxevents", "catalog.payments.x"]
)
@pytest.mark.parametrize("permission", ["configure", "write", "read"])
def test_nothing_else_is(permission: str, name: str) -> None:
    assert not re.search(PERMISSIONS[permission], name)


def test_dead_letters_go_through_the_default_exchange() -> None:
    assert [permission for permission, pattern in PERMISSIONS.items() if re.search(pattern, "amq.default")] == ["write"]
