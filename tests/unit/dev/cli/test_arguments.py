"""Wrong arguments of a command give one line that says how to call it."""

import pytest

from dev.cli.arguments import service_argument
from dev.process.program import NotStarted


def test_service_when_it_is_missing_gives_the_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVICE", raising=False)
    with pytest.raises(NotStarted, match=r"^SERVICE is missing: make psql SERVICE=auth\|catalog\|payments$"):
        service_argument("psql")


def test_service_when_it_is_unknown_gives_the_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE", "shop")
    with pytest.raises(NotStarted, match=r"^SERVICE=shop is not a service: make psql SERVICE=auth\|catalog\|payments$"):
        service_argument("psql")


def test_service_when_it_is_optional_and_missing_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVICE", raising=False)
    assert service_argument("logs", required=False) == ""


def test_service_when_it_is_known_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE", "payments")
    assert service_argument("psql") == "payments"
