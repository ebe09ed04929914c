"""Unit tests need no server and no environment. The other folders set the environment in their own conftests, and share the servers."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.fixtures.servers"]

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
settings.load_profile("project")


KILLING = {"broker", "commit_in_flight", "crashes", "database", "failpoints", "shutdown", "two_workers"}
"""The files of tests/e2e/ that wait most of the time until killed processes are ready again."""


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Tests of one file run in one process. The tests of the stack share two: one of them starts the stack for the files in KILLING."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        if not file.startswith("tests/e2e/"):
            return file
        return "the stack of killed processes" if Path(file).stem.removeprefix("test_") in KILLING else "the stack"


@pytest.hookimpl(optionalhook=True)  # `-p no:xdist` must work
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return FileScheduling(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_sessionfinish() -> None:
    environment = sys.modules.get("tests.fixtures.environment")
    if environment is not None:
        environment.remove()
