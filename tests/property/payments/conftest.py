"""Fixtures of the property tests of payments."""

from tests.fixtures.payments import (
    catalog,
    client,
    clients,
    jobs,
    notifier,
    payments,
    payments_database,
    paystack,
    started_payments,
)

__all__ = [
    "catalog",
    "client",
    "clients",
    "jobs",
    "notifier",
    "payments",
    "payments_database",
    "paystack",
    "started_payments",
]
