"""Fixtures of the tests of payments; every test begins with an empty database."""

import pytest

from tests.fixtures.payments import (
    bad_plans,
    catalog,
    client,
    clients,
    customer,
    jobs,
    notifier,
    operator,
    payments,
    payments_database,
    paystack,
    started_payments,
)

__all__ = [
    "bad_plans",
    "catalog",
    "client",
    "clients",
    "customer",
    "jobs",
    "notifier",
    "operator",
    "payments",
    "payments_database",
    "paystack",
    "started_payments",
]


@pytest.fixture(autouse=True)
async def _empty_database(payments_database: None) -> None:
    """Begin with an empty database."""
