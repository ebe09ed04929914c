"""Log files of the processes of a stack: one per process, bounded in size, readable by their owner only."""

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

MAX_FILE_BYTES = 5 * 1024 * 1024
"""A larger file is renamed to `<name>.log.1`, which replaces the previous one: at most twice this size per process."""


class LogFiles:
    """Appends lines to `<folder>/<name>.log`. A full disk loses lines but never stops the stack."""

    def __init__(self, folder: Path, max_bytes: int = MAX_FILE_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._files: dict[str, BinaryIO] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, name: str, line: str) -> None:
        """Append a line to the log file of a process."""
        with contextlib.suppress(OSError):
            file = self._files.get(name) or self._open(name)
            file.write(f"{line}\n".encode(errors="replace"))
            if file.tell() > self._max_bytes:
                self._rotate(name)

    def close(self) -> None:
        """Close the files. A later line opens its file again."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        self._files.clear()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _open(self, name: str) -> BinaryIO:
        descriptor = os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        file = self._files[name] = os.fdopen(descriptor, "ab", buffering=0)
        return file

    def _rotate(self, name: str) -> None:
        self._files.pop(name).close()
        path = self._path(name)
        path.replace(path.with_name(f"{path.name}.1"))
