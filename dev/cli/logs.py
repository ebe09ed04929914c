"""`make logs`: follow the log files of the running stack. SERVICE=payments selects the files of one service."""

import os
import sys
from pathlib import Path

from dev import RUN_FOLDER
from dev.cli.arguments import service_argument
from dev.process.program import NotStarted
from dev.stack.running import require_running_stack

LINES = "20"
"""Number of existing lines of each file that are printed first."""


def main() -> int:
    """Replace this process by `tail -F`. Returns 1 with a message when that is impossible."""
    try:
        service = service_argument("logs", required=False)
        require_running_stack()
        files = log_files(RUN_FOLDER, service)
    except NotStarted as error:
        print(error, file=sys.stderr)
        return 1
    # With -F, tail opens a log file again after it was rotated.
    return os.execvp("tail", ["tail", "-n", LINES, "-F", *map(str, files)])  # noqa: S606


def log_files(folder: Path, service: str = "") -> list[Path]:
    """Return the log files of a stack, or those of one service and its worker. Raises NotStarted if there are none."""
    files = sorted((folder / "logs").glob(f"{service}*.log"))
    if not service:
        files += [
            path
            for path in (folder / "postgres" / "postgres.log", folder / "rabbitmq" / "log" / "rabbitmq.log")
            if path.exists()
        ]
    if not files:
        raise NotStarted(f"there are no log files in {folder / 'logs'}")
    return files
