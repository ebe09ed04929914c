"""Fixtures for the tests of catalog. Every test starts with empty tables."""

import pytest

from tests.fixtures.catalog import catalog, client, customer, editor, empty_catalog, other_customer

__all__ = ["catalog", "client", "customer", "editor", "empty_catalog", "other_customer"]


@pytest.fixture(autouse=True)
def _empty_tables(empty_catalog: None) -> None:
    """Empty the tables before each test."""
