"""Fixtures of unit tests. `make unit` does not load the root conftest, which knows the servers.

pytest loads this file in each of its processes before anything else, so it imports little.
"""

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.fixtures.tokens import Signer

# For `make unit`; `make test` tries 100 examples. Without a deadline, no test fails because the machine is busy.
settings.register_profile("quick", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="session")
def signer() -> "Signer":
    """A signer of access tokens."""
    from tests.fixtures.tokens import Signer

    return Signer()
