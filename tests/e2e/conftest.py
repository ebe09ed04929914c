"""The whole stack, with real processes. All tests of this folder run in one test process, so that the stack is started once."""

from pathlib import Path

import pytest

from tests.fixtures.stack import (
    broker_control,
    console,
    failpoints,
    failpoints_folder,
    invariants,
    log_scanner,
    shop,
    stack,
    stack_log,
)

HERE = Path(__file__).parent

__all__ = [
    "broker_control",
    "console",
    "failpoints",
    "failpoints_folder",
    "invariants",
    "log_scanner",
    "shop",
    "stack",
    "stack_log",
]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("stack"))
