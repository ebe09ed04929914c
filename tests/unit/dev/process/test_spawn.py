"""The output of a process is split into lines."""

from dev.process.spawn import MAX_LINE_BYTES, LineReader, describe_exit


def test_line_reader_when_lines_arrive_in_pieces_returns_whole_lines() -> None:
    lines: list[str] = []
    reader = LineReader(lines.append)
    for piece in (b"one\ntw", b"o\r\n", b"\xff\n", b"x" * (MAX_LINE_BYTES + 1), b"\nlast"):
        reader.data_received(piece)
    reader.connection_lost(None)
    assert lines == ["one", "two", "\ufffd", "x" * (MAX_LINE_BYTES + 1), "", "last"]


def test_describe_exit_when_a_signal_killed_the_process_names_the_signal() -> None:
    assert describe_exit(-9) == "killed by SIGKILL"
    assert describe_exit(3) == "exited with code 3"
