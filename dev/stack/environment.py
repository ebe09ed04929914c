"""Read settings of the stack from the environment: NAME, or NAME_FILE with the path of a file that holds the value."""

import os
from pathlib import Path

from dev.process.program import NotStarted
from dev.stack.names import SERVICES


def from_environment(name: str) -> str | None:
    """Return the value of NAME or the content of the file NAME_FILE; None when neither is set."""
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise NotStarted(f"{name}_FILE={path}: {error.strerror}") from error
    return None


def port_from_environment(name: str, default: int) -> int:
    """Return a port number from the environment. Raises NotStarted if it is not one."""
    value = from_environment(name) or str(default)
    if not value.isdecimal() or not 1 <= int(value) <= 65_535:
        raise NotStarted(f"{name}={value}: a port is a number from 1 to 65535")
    return int(value)


EXTERNAL_SERVERS = (
    *(f"{service.upper()}_DATABASE_URL" for service in SERVICES),
    *(f"{service.upper()}_MIGRATION_DATABASE_URL" for service in SERVICES),
    "AMQP_URL",
    *(f"{service.upper()}_AMQP_URL" for service in SERVICES),
    "PAYSTACK_URL",
    "PAYSTACK_SECRET_KEY",
    "AUTH_SMTP_URL",
    "AUTH_SMTP_PASSWORD",
)


def ignore_external_servers() -> None:
    """Remove the URLs and the key of other servers from the environment: chaos and fuzz use only servers that they have started."""
    for name in EXTERNAL_SERVERS:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)


def given_databases() -> tuple[dict[str, str], dict[str, str]]:
    """Return the database URLs that the environment gives for each service: of the application's role, and of the owner's role.

    Raises NotStarted if only the URL of the owner's role is given.
    """
    databases, owners = (
        {service: url for service in SERVICES if (url := from_environment(f"{service.upper()}{infix}_DATABASE_URL"))}
        for infix in ("", "_MIGRATION")
    )
    for service in owners.keys() - databases.keys():
        raise NotStarted(f"{service.upper()}_MIGRATION_DATABASE_URL is set: set {service.upper()}_DATABASE_URL too")
    return databases, owners


def read_env_file(path: Path) -> dict[str, str]:
    """Return the KEY=VALUE lines of a file; an empty dict when the file does not exist."""
    if not path.exists():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}
