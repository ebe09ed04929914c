"""Log files are bounded in size and readable by their owner only."""

import stat
from pathlib import Path

from dev.process.log_files import LogFiles


def test_file_when_it_is_full_is_renamed_and_the_previous_one_replaced(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, max_bytes=100)
    for number in range(1_000):
        files.write("payments", f"line {number}")
    files.close()
    assert {path.name for path in tmp_path.iterdir()} == {"payments.log", "payments.log.1"}
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert all(size <= 100 + len("line 999\n") for size in sizes)
    lines = "".join((tmp_path / name).read_text() for name in ("payments.log.1", "payments.log")).splitlines()
    assert lines == [f"line {number}" for number in range(1_000 - len(lines), 1_000)]


def test_file_when_it_is_created_is_private(tmp_path: Path) -> None:
    files = LogFiles(tmp_path / "logs")
    files.write("payments", "a line")
    files.close()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs", tmp_path / "logs" / "payments.log")]
    assert modes == [0o700, 0o600]


def test_write_when_the_folder_is_gone_loses_the_line_without_an_error(tmp_path: Path) -> None:
    files = LogFiles(tmp_path / "logs")
    (tmp_path / "logs").rmdir()
    files.write("payments", "a line")
    files.close()
    assert not (tmp_path / "logs").exists()
