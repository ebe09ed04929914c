"""Arguments of the make commands. `make psql SERVICE=auth` passes SERVICE to the command as an environment variable."""

import os

from dev.process.program import NotStarted
from dev.stack.names import SERVICES


def service_argument(command: str, *, required: bool = True, more_arguments: str = "") -> str:
    """Return SERVICE, or an empty string if it is optional and missing. Raises NotStarted if it is unknown, or required and missing."""
    service = os.environ.get("SERVICE", "")
    if not service and not required:
        return ""
    if service not in SERVICES:
        problem = f"SERVICE={service} is not a service" if service else "SERVICE is missing"
        raise NotStarted(f"{problem}: make {command} SERVICE={'|'.join(SERVICES)}{more_arguments}")
    return service
