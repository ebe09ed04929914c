"""One line per problem and interval, with the number of lines that were left out."""

from kit.log_throttling import MAX_LINES, LogThrottle


class Lines:
    """Collects log lines, and is the clock of the throttle."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written: list[tuple[str, dict[str, object]]] = []
        self.throttle = LogThrottle(lambda: self.now)

    def log(self, message: str, **fields: object) -> None:
        self.written.append((message, fields))


def test_a_repeated_line_is_logged_once_per_interval_with_the_number_of_repetitions() -> None:
    lines = Lines()
    for second in range(150):
        lines.now = float(second)
        lines.throttle.log(lines.log, "job failed", about="relay", every=60, job="relay")
    assert lines.written == [
        ("job failed", {"job": "relay"}),
        ("job failed", {"job": "relay", "repeated": 59}),
        ("job failed", {"job": "relay", "repeated": 59}),
    ]


def test_lines_about_different_things_and_different_messages_are_independent() -> None:
    lines = Lines()
    for message in ("dispute due soon", "dispute opened"):
        for dispute in (1, 2, 1):
            lines.throttle.log(lines.log, message, about=dispute, dispute=dispute)
    assert [fields["dispute"] for _, fields in lines.written] == [1, 2, 1, 2]


def test_the_number_of_remembered_lines_is_limited() -> None:
    lines = Lines()
    for number in (*range(MAX_LINES + 1), MAX_LINES, 0):
        lines.throttle.log(lines.log, "refund sync failed", about=number)
    assert len(lines.written) == MAX_LINES + 2  # the first line was forgotten, so it is logged again
