"""The state of a stack that survives a restart: its passwords and the ports of its own servers."""

import json
import secrets
from pathlib import Path
from typing import Any

from dev.process.files import write_private


class State:
    """Values that are generated once and stored in a JSON file with mode 600."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def secret(self, name: str, prefix: str = "") -> str:
        """Return the secret `name`. The first call generates it: 192 bits as hexadecimal digits, which need no escaping in URLs and SQL."""
        if name not in self._values:
            self.store(name, prefix + secrets.token_hex(24))
        return str(self._values[name])

    def port(self, name: str) -> int | None:
        """Return the port that is stored under `name`, or None."""
        return self._values.get(name)

    def store(self, name: str, value: str | int) -> None:
        """Store a value on disk."""
        self._values[name] = value
        write_private(self._path, json.dumps(self._values, indent=1))
