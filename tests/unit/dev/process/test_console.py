"""The console prints lines with the name of their source, and never blocks its callers."""

import io
import os
from pathlib import Path

from dev.process.console import Console


def test_output_when_nobody_reads_the_pipe_blocks_nobody() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        console = Console(output=stream)
        for number in range(50_000):
            console.print_output("process", f"line {number} of many that nobody reads")
        assert console.recent_lines("process")[-1].startswith("line 49999")
        os.close(reader)  # a reader that exits blocks nobody either
        console.close(timeout=0.1)


def test_lines_when_printed_have_the_name_of_their_source() -> None:
    stream = io.StringIO()
    console = Console(status=stream, output=stream)
    console.print_status("starting")
    console.print_output("payments", "payment settled")
    console.print_plain("ready")
    console.close()
    assert stream.getvalue().splitlines() == [
        "            dev | starting",
        "       payments | payment settled",
        "ready",
    ]


def test_lines_when_there_is_a_log_folder_are_in_the_file_of_their_source(tmp_path: Path) -> None:
    console = Console(log_folder=tmp_path / "logs")
    console.print_status("starting")
    console.print_output("payments", "payment settled")
    console.close()
    assert (tmp_path / "logs" / "dev.log").read_text() == "starting\n"
    assert (tmp_path / "logs" / "payments.log").read_text() == "payment settled\n"
