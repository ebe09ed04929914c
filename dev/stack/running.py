"""Find the stack that `make run` started in this project."""

import psutil

from dev import RUN_FOLDER
from dev.process.program import NotStarted
from dev.stack.environment import read_env_file

STACK_ENV = RUN_FOLDER / "stack.env"
REQUIRED = ("AUTH", "CATALOG", "PAYMENTS", "PAYMENTS_WORKER", "CATALOG_WORKER")


def running_stack() -> dict[str, str] | None:
    """Return the content of stack.env, or None if its processes are not running. A killed stack leaves the file behind."""
    env = read_env_file(STACK_ENV)
    pids = [env.get(f"PID_{name}", "") for name in REQUIRED]
    return env if all(pid.isdecimal() and psutil.pid_exists(int(pid)) for pid in pids) else None


def require_running_stack() -> dict[str, str]:
    """Return the content of stack.env. Raises NotStarted when the stack does not run."""
    env = running_stack()
    if env is None:
        raise NotStarted("the stack is not running: start it with `make run` in another terminal")
    return env
