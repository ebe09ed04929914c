"""The whole stack, with real processes."""

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
