"""The permissions in deploy/rabbitmq/definitions.json cover what each service needs of contracts/topology.py, and nothing else."""

import json
import re
from typing import Any

import pytest

from contracts.topology import CATALOG_PAYMENTS, EXCHANGE, PAYMENTS_ORDERS, Queue
from deploy.rabbitmq.users import ADMIN, DEFINITIONS, SERVICES, hash_password, read_definitions
from dev.asyncapi import PUBLISHED, event_type

FOUND: dict[str, Any] = json.loads(DEFINITIONS.read_text())
QUEUES = (CATALOG_PAYMENTS, PAYMENTS_ORDERS)
CONSUMED = {"catalog": CATALOG_PAYMENTS, "payments": PAYMENTS_ORDERS}
PUBLISHED_TO = {"catalog": PAYMENTS_ORDERS, "payments": CATALOG_PAYMENTS}
NAMES = {
    EXCHANGE,
    *(name for queue in QUEUES for name in (queue.name, queue.dead_letters, queue.dead_letter_exchange, queue.marker)),
    *("", "amq.default", "amq.topic", "amq.gen-x", "orders", "xshop.events", "shop.events.x", "shopxevents"),
    *("catalog.payments.x", "catalog.paymentsx", "x.payments.orders", "catalogxdead-letters"),
}


def granted(kind: str, user: str, permission: str, names: set[str]) -> set[str]:
    """Return the names that a permission of a user matches, as RabbitMQ matches them."""
    (found,) = [entry for entry in FOUND[kind] if entry["user"] == user]
    return {name for name in names if re.search(found[permission], name)}


def consumed(queue: Queue) -> set[str]:
    return {queue.name, queue.dead_letters, queue.dead_letter_exchange}


@pytest.mark.parametrize("user", SERVICES)
def test_permission_when_a_service_does_not_need_it_is_refused(user: str) -> None:
    own, other = CONSUMED[user], PUBLISHED_TO[user]
    exchange = {EXCHANGE} if user == "payments" else set()
    assert granted("permissions", user, "configure", NAMES) == consumed(own) | {other.marker} | exchange
    assert granted("permissions", user, "write", NAMES) == consumed(own) | {other.name, EXCHANGE}
    assert granted("permissions", user, "read", NAMES) == consumed(own) | {other.marker, EXCHANGE}


@pytest.mark.parametrize("user", SERVICES)
def test_topic_permission_when_a_service_does_not_publish_or_consume_the_type_is_refused(user: str) -> None:
    types = {event_type(event) for events in PUBLISHED.values() for event in events}
    own = {event_type(event) for event in PUBLISHED[user]}
    keys = types | {
        "payment.*",
        "order.*",
        "#",
        "*.*",
        "payment.#",
        "payment.invented",
        "order.invented",
        "xorder.undeliverable",
    }
    assert granted("topic_permissions", user, "write", keys) == own
    assert granted("topic_permissions", user, "read", keys) == set(CONSUMED[user].bindings)


def test_definitions_when_read_have_only_the_users_with_their_hashed_passwords() -> None:
    passwords = {ADMIN: "password-of-admin", "catalog": "password-of-catalog", "payments": "password-of-payments"}
    found = read_definitions(passwords)
    assert {user["name"]: user["tags"] for user in found["users"]} == {
        ADMIN: "administrator",
        "catalog": "",
        "payments": "",
    }
    assert not any(password in json.dumps(found) for password in passwords.values())
    assert {entry["user"] for kind in ("permissions", "topic_permissions") for entry in FOUND[kind]} == set(SERVICES)
    assert hash_password("same") != hash_password("same")
