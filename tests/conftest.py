"""Unit tests need no server and no environment. The other folders set the environment in their own conftests, and share the servers."""

import sys

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.fixtures.servers"]

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
settings.load_profile("project")


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Tests of one file run in one process, and so do all tests of the stack: it is started once."""

    def _split_scope(self, nodeid: str) -> str:
        return "the stack" if nodeid.startswith("tests/e2e/") else nodeid.split("::")[0]


@pytest.hookimpl(optionalhook=True)  # `-p no:xdist` must work
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return FileScheduling(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_sessionfinish() -> None:
    environment = sys.modules.get("tests.fixtures.environment")
    if environment is not None:
        environment.remove()
