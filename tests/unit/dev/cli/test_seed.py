"""`make seed` refuses a SIZE that is no number of products, and shows how far it is."""

import pytest

from dev.cli.seed import ProgressBar, size_argument
from dev.process.program import NotStarted


@pytest.mark.parametrize(("given", "size"), [("", 100_000), ("1", 1), ("1000000", 1_000_000)])
def test_size_argument_when_it_is_a_number_of_products_then_it_is_returned(
    monkeypatch: pytest.MonkeyPatch, given: str, size: int
) -> None:
    monkeypatch.setenv("SIZE", given)
    assert size_argument() == size


@pytest.mark.parametrize("given", ["0", "-1", "x", "1e6", "²", "10000001", "1.5"])
def test_size_argument_when_it_is_no_number_of_products_then_not_started(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("SIZE", given)
    with pytest.raises(NotStarted, match="make seed SIZE="):
        size_argument()


def test_progress_bar_when_it_is_no_terminal_then_each_tenth_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar(1000)
    for _ in range(100):
        bar.advance(10)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert "100% 1,000 of 1,000 rows" in lines[-1]
