"""Settings of the stack come from NAME or from the file in NAME_FILE."""

from pathlib import Path

import pytest

from dev.process.program import NotStarted
from dev.stack.environment import from_environment, given_databases, port_from_environment, read_env_file


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AMQP_URL", raising=False)
    monkeypatch.delenv("AMQP_URL_FILE", raising=False)
    monkeypatch.delenv("CATALOG_DATABASE_URL", raising=False)


def test_value_when_only_the_file_is_named_is_its_content(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert from_environment("AMQP_URL") is None
    (tmp_path / "url").write_text("amqp://from-file\n")
    monkeypatch.setenv("AMQP_URL_FILE", str(tmp_path / "url"))
    assert from_environment("AMQP_URL") == "amqp://from-file"
    monkeypatch.setenv("AMQP_URL", "amqp://from-variable")
    assert from_environment("AMQP_URL") == "amqp://from-variable"


def test_value_when_the_file_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AMQP_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(NotStarted, match=r"AMQP_URL_FILE=.*: No such file or directory"):
        from_environment("AMQP_URL")


@pytest.mark.parametrize("value", ["0", "65536", "-1", "http"])
def test_port_when_it_is_no_port_number_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AUTH_PORT", value)
    with pytest.raises(NotStarted, match=f"AUTH_PORT={value}: a port is a number from 1 to 65535"):
        port_from_environment("AUTH_PORT", 8001)


def test_port_when_it_is_not_set_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTH_PORT", raising=False)
    assert port_from_environment("AUTH_PORT", 8001) == 8001


def test_env_file_when_it_has_comments_and_quotes_is_read_without_them(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / "missing") == {}
    (tmp_path / ".env").write_text("# NAME=comment\nONE=1\nTWO = 'two = 2'\n\n")
    assert read_env_file(tmp_path / ".env") == {"ONE": "1", "TWO": "two = 2"}


def test_databases_when_only_the_owner_is_given_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_MIGRATION_DATABASE_URL", "postgresql://owner@host/catalog")
    with pytest.raises(NotStarted, match="set CATALOG_DATABASE_URL too"):
        given_databases()
    monkeypatch.setenv("CATALOG_DATABASE_URL", "postgresql://catalog@host/catalog")
    databases, owners = given_databases()
    assert (databases["catalog"], owners["catalog"]) == (
        "postgresql://catalog@host/catalog",
        "postgresql://owner@host/catalog",
    )
