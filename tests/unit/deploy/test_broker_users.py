"""The permissions in deploy/rabbitmq/definitions.json cover what each service needs of contracts/topology.py, and nothing else."""

import json
import re
from typing import Any

import pytest

from contracts.topology import CONSUMED, EXCHANGE, PUBLISHED_TO, Queue
from deploy.rabbitmq.users import ADMIN, DEFINITIONS, SERVICES, hash_password, read_definitions
from dev.asyncapi import PUBLISHED, event_type

FOUND: dict[str, Any] = json.loads(DEFINITIONS.read_text())
QUEUES = [queue for queues in CONSUMED.values() for queue in queues]
NAMES = {
    EXCHANGE,
    *(name for queue in QUEUES for name in (queue.name, queue.dead_letters, queue.dead_letter_exchange, queue.marker)),
    *("", "amq.default", "amq.topic", "amq.gen-x", "orders", "xshop.events", "shop.events.x", "shopxevents"),
    *("catalog.payments.x", "catalog.paymentsx", "x.payments.orders", "catalogxdead-letters"),
    *("catalog.accounts.x", "xcatalog.accounts", "auth.accounts", "auth.dead-letters"),
}


def granted(kind: str, user: str, permission: str, names: set[str]) -> set[str]:
    """Return the names that a permission of a user matches, as RabbitMQ matches them."""
    (found,) = [entry for entry in FOUND[kind] if entry["user"] == user]
    return {name for name in names if re.search(found[permission], name)}


def names_of(queue: Queue) -> set[str]:
    return {queue.name, queue.dead_letters, queue.dead_letter_exchange}


@pytest.mark.parametrize("user", SERVICES)
def test_permission_when_a_service_does_not_need_it_is_refused(user: str) -> None:
    own = {name for queue in CONSUMED.get(user, ()) for name in names_of(queue)}
    others, markers = {queue.name for queue in PUBLISHED_TO[user]}, {queue.marker for queue in PUBLISHED_TO[user]}
    declared = {EXCHANGE} if user == "payments" else set()
    bound = {EXCHANGE} if own else set()
    assert granted("permissions", user, "configure", NAMES) == own | markers | declared
    assert granted("permissions", user, "write", NAMES) == own | others | {EXCHANGE}
    assert granted("permissions", user, "read", NAMES) == own | markers | bound


@pytest.mark.parametrize("user", SERVICES)
def test_topic_permission_when_a_service_does_not_publish_or_consume_the_type_is_refused(user: str) -> None:
    types = {event_type(event) for events in PUBLISHED.values() for event in events}
    own = {event_type(event) for event in PUBLISHED[user]}
    keys = types | {
        "payment.*",
        "order.*",
        "account.*",
        "account.invented",
        "#",
        "*.*",
        "payment.#",
        "payment.invented",
        "order.invented",
        "xorder.undeliverable",
    }
    assert granted("topic_permissions", user, "write", keys) == own
    assert granted("topic_permissions", user, "read", keys) == {
        binding for queue in CONSUMED.get(user, ()) for binding in queue.bindings
    }


def test_definitions_when_read_have_only_the_users_with_their_hashed_passwords() -> None:
    passwords = {name: f"password-of-{name}" for name in (ADMIN, *SERVICES)}
    found = read_definitions(passwords)
    assert {user["name"]: user["tags"] for user in found["users"]} == {
        ADMIN: "administrator",
        "auth": "",
        "catalog": "",
        "payments": "",
    }
    assert not any(password in json.dumps(found) for password in passwords.values())
    assert {entry["user"] for kind in ("permissions", "topic_permissions") for entry in FOUND[kind]} == set(SERVICES)
    assert hash_password("same") != hash_password("same")
