"""Fixtures of the property tests of catalog."""

import pytest

from tests.fixtures.apps import RunningApp
from tests.fixtures.catalog import catalog, empty_tables

__all__ = ["catalog"]


@pytest.fixture(scope="module", autouse=True)
async def _empty_tables(catalog: RunningApp) -> None:
    """Empty the tables before each module: examples of Hypothesis clean up after themselves."""
    await empty_tables()
