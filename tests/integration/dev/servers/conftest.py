"""A folder for private servers."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a space in its name; if we are root, Postgres's user cannot enter it."""
    folder = tmp_path / "my shop"
    folder.mkdir()
    return folder
