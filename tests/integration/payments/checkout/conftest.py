"""Fixtures of the tests of starting a payment."""

import pytest

from tests.fakes.catalog import FakeCatalog
from tests.fixtures.payments_start import ORDER


@pytest.fixture
def order(catalog: FakeCatalog) -> None:
    """The order of `start`, which may be paid."""
    catalog.add_order(ORDER)
