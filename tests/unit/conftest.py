"""Fixtures of unit tests. `make unit` does not load the root conftest, which knows the servers."""

import pytest
from hypothesis import settings

from tests.fixtures.tokens import Signer

settings.register_profile("quick", max_examples=20)  # `make unit`; `make test` tries 100 examples


@pytest.fixture(scope="session")
def signer() -> Signer:
    """A signer of access tokens."""
    return Signer()
