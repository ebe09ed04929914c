"""Arguments of the make verbs: make passes `NAME=value` on in the environment."""

import os

from dev.process.program import NotStarted
from dev.stack.names import SERVICES


def service_argument(command: str, *, required: bool = True, usage: str = "") -> str:
    """Return SERVICE; an empty string when it is optional and missing. Raises NotStarted if it is missing or unknown."""
    service = os.environ.get("SERVICE", "")
    if not service and not required:
        return ""
    if service not in SERVICES:
        problem = f"SERVICE={service} is not a service" if service else "SERVICE is missing"
        raise NotStarted(f"{problem}: make {command} SERVICE={'|'.join(SERVICES)}{usage}")
    return service
