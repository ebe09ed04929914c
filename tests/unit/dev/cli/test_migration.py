"""The number and the name of a new migration."""

from pathlib import Path

import pytest

from dev.cli.migration import is_empty, name_argument, next_revision
from dev.process.program import NotStarted


def test_next_revision_when_there_are_migrations_follows_the_newest(tmp_path: Path) -> None:
    for name in ("0001_catalog.py", "0009_weight.py", "__init__.py", "notes.txt"):
        (tmp_path / name).touch()
    assert next_revision(tmp_path) == "0010"


def test_next_revision_when_there_is_none_is_the_first(tmp_path: Path) -> None:
    assert next_revision(tmp_path) == "0001"


@pytest.mark.parametrize("name", ["add weight", "add_weight", "0010 add-weight"])
def test_name_when_it_is_short_and_plain_is_accepted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NAME", name)
    assert name_argument() == name


@pytest.mark.parametrize("name", ["", "  "])
def test_name_when_it_is_missing_gives_the_usage(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NAME", name)
    with pytest.raises(NotStarted, match=r"^NAME is missing: make migration SERVICE=catalog NAME="):
        name_argument()


@pytest.mark.parametrize("name", ["../weight", "a;b", "x" * 41, "-m"])
def test_name_when_it_is_no_plain_name_gives_the_usage(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NAME", name)
    with pytest.raises(NotStarted, match=": make migration SERVICE=catalog NAME="):
        name_argument()


def test_is_empty_when_upgrade_has_operations_is_false() -> None:
    upgrade, downgrade = "def upgrade() -> None:\n    {}\n\n\n", "def downgrade() -> None:\n    op.drop_table('x')\n"
    assert not is_empty(upgrade.format("op.add_column('products')") + downgrade)
    assert is_empty(upgrade.format("pass") + downgrade)
