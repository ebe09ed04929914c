"""The log files that `make logs` follows."""

from pathlib import Path

import pytest

from dev.cli.logs import log_files
from dev.process.program import NotStarted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "logs/auth.log",
        "logs/auth-worker.log",
        "logs/catalog.log",
        "logs/catalog.log.1",
        "postgres/postgres.log",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_log_files_when_a_service_is_named_are_those_of_the_service_and_its_worker(folder: Path) -> None:
    assert {path.name for path in log_files(folder, "auth")} == {"auth.log", "auth-worker.log"}


def test_log_files_when_no_service_is_named_include_the_servers(folder: Path) -> None:
    names = {path.name for path in log_files(folder)}
    assert names == {"auth.log", "auth-worker.log", "catalog.log", "postgres.log"}


def test_log_files_when_there_are_none_name_the_folder(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match=f"there are no log files in {tmp_path}/logs"):
        log_files(tmp_path)
