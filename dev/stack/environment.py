"""What the environment gives: NAME, or NAME_FILE with the path of a file that holds the value."""

import os
from pathlib import Path

from dev.process.supervisor import NotStarted


def given(name: str) -> str | None:
    """The value of NAME or the content of the file NAME_FILE; None when neither is set."""
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise NotStarted(f"{name}_FILE={path}: {error.strerror}") from error
    return None


def given_port(name: str, default: int) -> int:
    """A port number from the environment."""
    value = given(name) or str(default)
    if not value.isdecimal() or not 1 <= int(value) <= 65_535:
        raise NotStarted(f"{name}={value}: a port is a number from 1 to 65535")
    return int(value)
