"""The permissions of a service at the broker cover the names of contracts/topology.py and nothing else."""

import re
import runpy
from pathlib import Path

import pytest

from contracts import topology

DEPLOY = Path(__file__).parents[3] / "deploy"
PERMISSIONS: dict[str, str] = runpy.run_path(str(DEPLOY / "rabbitmq" / "users.py"))["PERMISSIONS"]
QUEUES = [queue for queue in vars(topology).values() if isinstance(queue, topology.Queue)]
OURS = [topology.EXCHANGE, *(name for queue in QUEUES for name in (queue.name, queue.dead_letters, queue.marker))]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("permission", ["configure", "write", "read"])
def test_permission_when_the_name_is_in_the_topology_is_granted(permission: str, name: str) -> None:
    assert re.search(PERMISSIONS[permission], name)


@pytest.mark.parametrize(
    "name", ["", "amq.topic", "orders", "xshop.events", "shop.events.x", "shopxevents", "catalog.payments.x"]
)
@pytest.mark.parametrize("permission", ["configure", "write", "read"])
def test_permission_when_the_name_is_not_in_the_topology_is_refused(permission: str, name: str) -> None:
    assert not re.search(PERMISSIONS[permission], name)


def test_default_exchange_when_dead_letters_are_published_is_writable_only() -> None:
    assert [permission for permission, pattern in PERMISSIONS.items() if re.search(pattern, "amq.default")] == ["write"]
