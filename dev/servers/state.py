"""What a stack remembers between two runs in the same folder: its passwords and the ports of its own servers."""

import json
import secrets
from pathlib import Path
from typing import Any

from dev.process.files import write_private


class Keepsakes:
    """Values made once and found again, in a file that only its owner reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def secret(self, name: str, prefix: str = "") -> str:
        """A random secret of 192 bits, the same for every run. Letters and digits only: safe in a URL and in SQL."""
        if name not in self._values:
            self.keep(name, prefix + secrets.token_hex(24))
        return str(self._values[name])

    def port(self, name: str) -> int | None:
        """The port kept under `name`."""
        return self._values.get(name)

    def keep(self, name: str, value: str | int) -> None:
        """Remembers a value, also after a crash."""
        self._values[name] = value
        write_private(self._path, json.dumps(self._values, indent=1))
