"""Print the messages of the stack and the output of its processes, one line at a time, each with the name of its source."""

import contextlib
import os
import queue
import threading
from collections import defaultdict, deque
from pathlib import Path
from typing import TextIO

from dev.process.log_files import LogFiles

COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
LABEL_WIDTH = len("payments-worker")
MAX_QUEUED_LINES = 20_000
RECENT_LINES = 200


class Console:
    """Prints from a thread, so that a terminal or pipe that is not read never blocks the stack.

    When 20,000 lines are queued, further lines are dropped and counted. `status` receives the messages of the stack
    itself, `output` the output of its processes; either can be None. `log_folder` additionally receives both, one
    file per source. The last 200 lines of each process are kept for error messages.
    """

    def __init__(
        self, status: TextIO | None = None, output: TextIO | None = None, log_folder: Path | None = None
    ) -> None:
        self._status = status
        self._output = output
        self._log_files = LogFiles(log_folder) if log_folder else None
        self._recent: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=RECENT_LINES))
        self._colours: dict[str, int] = {}
        self._dropped = 0
        self._queue: queue.Queue[tuple[TextIO, str] | threading.Event | None] = queue.Queue(MAX_QUEUED_LINES)
        self._thread = threading.Thread(target=self._print_queued, name="console", daemon=True)
        if status or output:
            self._thread.start()

    def print_status(self, text: str) -> None:
        """Print a message of the stack itself."""
        self._print(self._status, "dev", text)

    def print_plain(self, text: str) -> None:
        """Print a line without a label: scripts wait for `ready` on its own line."""
        if self._status:
            self._enqueue(self._status, text)

    def print_output(self, name: str, text: str) -> None:
        """Print a line that the process `name` wrote."""
        self._recent[name].append(text)
        self._print(self._output, name, text)

    def recent_lines(self, name: str) -> list[str]:
        """Return the last lines that the process `name` wrote."""
        return list(self._recent[name])

    def flush(self, timeout: float = 2.0) -> None:
        """Wait until all queued lines are printed, at most `timeout` seconds."""
        printed = threading.Event()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(printed)
            printed.wait(timeout)

    def close(self, timeout: float = 2.0) -> None:
        """Print the queued lines, within `timeout` seconds, and end the thread."""
        if self._log_files:
            self._log_files.close()
        if self._thread.is_alive():
            try:
                self._queue.put(None, timeout=timeout)
            except queue.Full:
                return
            self._thread.join(timeout)

    def _print(self, stream: TextIO | None, name: str, text: str) -> None:
        if self._log_files:
            self._log_files.write(name, text)
        if stream:
            self._enqueue(stream, f"{self._label(stream, name)} {text}")

    def _label(self, stream: TextIO, name: str) -> str:
        label = f"{name:>{LABEL_WIDTH}} |"
        if not stream.isatty() or "NO_COLOR" in os.environ:
            return label
        colour = 1 if name == "dev" else self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
        return f"\x1b[{colour}m{label}\x1b[0m"

    def _enqueue(self, stream: TextIO, line: str) -> None:
        try:
            self._queue.put_nowait((stream, line))
        except queue.Full:
            self._dropped += 1

    def _print_queued(self) -> None:
        while item := self._queue.get():
            if isinstance(item, threading.Event):
                item.set()
                continue
            stream, line = item
            try:
                if dropped := self._dropped:
                    self._dropped = 0
                    print(f"... {dropped} lines dropped: the output was not read", file=stream)
                print(line, file=stream, flush=True)
            except BrokenPipeError:
                # The reader has exited (`make run | head`). Point the stream to /dev/null, or the interpreter's flush at
                # exit would fail.
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
                return
