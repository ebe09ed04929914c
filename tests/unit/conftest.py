"""Fixtures of unit tests. `make unit` does not load the root conftest, which knows the servers."""

import pytest

from tests.fixtures.tokens import Signer


@pytest.fixture(scope="session")
def signer() -> Signer:
    """A signer of access tokens."""
    return Signer()
