"""The memory for responses that clients do not read."""

from kit.http.unread_responses import UnreadResponses


class Connection:
    closed = False

    def close_unread(self) -> None:
        self.closed = True


def test_connections_that_hold_the_longest_are_closed_when_the_limit_is_reached() -> None:
    unread = UnreadResponses(max_bytes=100)
    first, second, third = Connection(), Connection(), Connection()
    for connection in (first, second):
        unread.hold(connection, 50)
    assert (unread.total, first.closed) == (100, False)
    unread.hold(first, 40)  # has read something
    unread.hold(third, 20)
    assert (first.closed, second.closed, third.closed) == (False, True, False)
    assert unread.total == 60
    unread.release(first)
    unread.release(first)
    unread.release(second)
    assert unread.total == 20
    unread.hold(third, 101)
    assert (unread.total, third.closed) == (0, True)
