from pathlib import Path
from typing import Any

import pytest

from bench.publish import BEGIN, END, PAGE, write

DOCUMENT: dict[str, Any] = {
    "at": "2026-11-25T12:00:00+00:00",
    "machine": {"processor": "A CPU", "cores": 2, "system": "Linux", "python": "3.13.0", "load_average_before": 0.1},
    "ratios": {
        "intake / raw": {"median": 0.5, "rounds": [0.4, 0.5, 0.6], "expected_minimum": 0.45},
        "sweep": {"median": 1.0, "rounds": [1.0], "expected_minimum": None},
    },
    "auth_memory": "after 10,000 attacked user names: +12.0 MB (bar: at most +20 MB)",
    "per_second": {"webhook intake": {"median": 3225.4, "rounds": [3225.4]}},
}


def test_results_when_published_twice_are_in_the_page_once(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write(page, DOCUMENT)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("| intake / raw | 0.50 | 0.40 to 0.60 | ≥ 0.45 |") == 1
    assert "| sweep | 1.00 |  |  |" in text
    assert "| webhook intake | 3,225 |" in text
    assert "A CPU, 2 cores" in text
    assert text.count("auth's memory after 10,000 attacked user names: +12.0 MB (bar: at most +20 MB).") == 1


def test_page_without_the_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="does not contain"):
        write(page, DOCUMENT)


def test_the_page_of_this_project_has_the_markers() -> None:
    text = PAGE.read_text()
    assert text.index(BEGIN) < text.index(END)
