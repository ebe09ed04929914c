"""Unit tests need no server and no environment. The other folders set the environment in their own conftests, and share the servers."""

import sys
from pathlib import Path

pytest_plugins = ["tests.fixtures.servers"]


def pytest_sessionfinish() -> None:
    environment = sys.modules.get("tests.fixtures.environment")
    if environment is not None:
        environment.remove()


# Until the folders below have moved to tests/integration: they set no environment, and import these names from here.
if any((Path(__file__).parent / name).is_dir() for name in ("auth", "catalog", "kit", "payments")):
    from tests.fixtures.environment import ENVIRONMENT, PAYSTACK_SECRET_KEY, broker_node
    from tests.fixtures.tokens import ADMIN, ISSUER, Signer

    __all__ = ["ADMIN", "ENVIRONMENT", "ISSUER", "PAYSTACK_SECRET_KEY", "Signer", "broker_node"]
