"""The scanner of log files finds every secret once, however the lines are written."""

from pathlib import Path

from dev.chaos.leaks import LogScanner


def test_scan_when_a_line_was_only_partly_written_finds_its_secret_later(tmp_path: Path) -> None:
    path = tmp_path / "payments.log"
    scanner = LogScanner(tmp_path)
    path.write_text("started\npassword aaaa-aaaa-")
    scanner.scan({"aaaa-aaaa-bbbb-bbbb"})
    assert scanner.leaks == []
    with path.open("a") as file:
        file.write("bbbb-bbbb read\n")
    scanner.scan({"aaaa-aaaa-bbbb-bbbb"})
    scanner.scan({"aaaa-aaaa-bbbb-bbbb"})
    assert len(scanner.leaks) == 1
    assert "aaaa-bbbb" not in scanner.leaks[0]
