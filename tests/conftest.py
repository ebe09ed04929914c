"""Unit tests need no server and no environment. The other folders set the environment in their own conftests, and share the servers."""

import sys

pytest_plugins = ["tests.fixtures.servers"]


def pytest_sessionfinish() -> None:
    environment = sys.modules.get("tests.fixtures.environment")
    if environment is not None:
        environment.remove()
