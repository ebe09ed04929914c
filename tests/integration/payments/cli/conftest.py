import pytest

from tests.fixtures.payments_cli import CommandLine


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line of payments."""
    return CommandLine(monkeypatch)
