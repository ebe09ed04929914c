"""The memory of one process for responses that their clients do not read."""

from typing import Protocol

MAX_UNREAD_BYTES = 64 * 1024 * 1024


class Connection(Protocol):
    """A connection that can be closed because its client does not read."""

    def close_unread(self) -> None:
        """Close the connection and free its response."""
        ...


class UnreadResponses:
    """The connections whose response fills the buffers between us and the client, and the bytes that each of them holds.

    If they hold more than `max_bytes` together, the connections whose clients have not read for the longest time are closed. Answering
    new requests with 503 instead would let a few clients that do not read keep all others out.
    """

    def __init__(self, max_bytes: int = MAX_UNREAD_BYTES) -> None:
        self.max_bytes = max_bytes
        self.total = 0
        self._held: dict[Connection, int] = {}
        """The bytes of each connection. The connection whose client has not read for the longest time comes first."""

    def hold(self, connection: Connection, size: int) -> None:
        """Record that a connection holds `size` bytes now."""
        self.release(connection)
        self._held[connection] = size
        self.total += size
        while self.total > self.max_bytes:
            longest = next(iter(self._held))
            self.release(longest)
            longest.close_unread()

    def release(self, connection: Connection) -> None:
        """Record that a connection holds nothing any more."""
        self.total -= self._held.pop(connection, 0)
