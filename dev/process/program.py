"""The description of a program to run, and the two errors that can occur when it starts."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.process.system_users import SystemUser


class NotStarted(Exception):
    """A process did not start. The message names the process and the reason, for the developer who typed the command."""


class NotReady(Exception):
    """A process is running but not ready. The message is the reason."""


async def do_nothing() -> None:
    """Do nothing: the default of an optional hook."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """How to run a process.

    `check_ready` raises NotReady until the process is ready. Its answer counts only while the process itself listens on `port`: another
    program could answer there. `before_start` runs before every start, for example to remove the
    PID file of a killed process. `hint` is appended to the error when the program fails.
    """

    name: str
    command: list[str]
    env: Mapping[str, str]
    cwd: Path
    user: SystemUser | None = None
    check_ready: Callable[[], Awaitable[None]] = do_nothing
    port: int | None = None
    before_start: Callable[[], Awaitable[None]] = do_nothing
    ready_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    hint: str = ""
    umask: int = 0o077
    log_file: Path | None = None
    """The file that receives the output; None sends it to the console."""
