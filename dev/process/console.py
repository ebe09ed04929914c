"""What the stack says: one readable line at a time, with the name of who speaks in front."""

import contextlib
import os
import queue
import threading
from collections import defaultdict, deque
from typing import TextIO

COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
WIDTH = len("payments-worker")
WAITING_LINES = 20_000
RECENT_LINES = 200


class Console:
    """Writes lines in a thread of its own, so that a reader who stops reading stops nobody: past 20,000 waiting lines, lines are lost.

    `own` hears what the stack itself does, `parts` what its processes print; either can be None. The last 200
    lines of each speaker are kept, for a failure to show.
    """

    def __init__(self, own: TextIO | None = None, parts: TextIO | None = None) -> None:
        self._own = own
        self._parts = parts
        self._recent: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=RECENT_LINES))
        self._colours: dict[str, int] = {}
        self._lost = 0
        self._waiting: queue.Queue[tuple[TextIO, str] | threading.Event | None] = queue.Queue(WAITING_LINES)
        self._writer = threading.Thread(target=self._write, name="console", daemon=True)
        if own or parts:
            self._writer.start()

    def say(self, text: str) -> None:
        """A line of the stack itself."""
        self._put(self._own, "dev", text)

    def bare(self, text: str) -> None:
        """A line without a name in front: for what a script may wait for."""
        if self._own:
            self._queue(self._own, text)

    def hear(self, name: str, text: str) -> None:
        """A line that a process printed."""
        self._recent[name].append(text)
        self._put(self._parts, name, text)

    def recent(self, name: str) -> list[str]:
        """The last lines that `name` printed."""
        return list(self._recent[name])

    def flush(self, timeout: float = 2.0) -> None:
        """Waits, up to `timeout` seconds, until what has been said stands on the screen."""
        written = threading.Event()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(written)
            written.wait(timeout)

    def close(self, timeout: float = 2.0) -> None:
        """Writes out what waits, within `timeout` seconds."""
        if self._writer.is_alive():
            try:
                self._waiting.put(None, timeout=timeout)
            except queue.Full:
                return
            self._writer.join(timeout)

    def _put(self, stream: TextIO | None, name: str, text: str) -> None:
        if stream:
            self._queue(stream, f"{self._label(stream, name)} {text}")

    def _label(self, stream: TextIO, name: str) -> str:
        label = f"{name:>{WIDTH}} |"
        if not stream.isatty() or "NO_COLOR" in os.environ:
            return label
        colour = 1 if name == "dev" else self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
        return f"\x1b[{colour}m{label}\x1b[0m"

    def _queue(self, stream: TextIO, line: str) -> None:
        try:
            self._waiting.put_nowait((stream, line))
        except queue.Full:
            self._lost += 1

    def _write(self) -> None:
        while item := self._waiting.get():
            if isinstance(item, threading.Event):
                item.set()
                continue
            stream, line = item
            try:
                if lost := self._lost:
                    self._lost = 0
                    print(f"... {lost} lines lost: nobody read them", file=stream)
                print(line, file=stream, flush=True)
            except BrokenPipeError:
                # The reader has gone (`make run | head`): go on in silence, and let the interpreter's own last flush find no pipe.
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
                return
