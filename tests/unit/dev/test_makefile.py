"""The Makefile explains every command, and runs each of them even if a file has its name."""

import re
import subprocess

from dev import PROJECT
from dev.__main__ import COMMANDS

MAKEFILE = (PROJECT / "Makefile").read_text()
PHONY = set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split())
RULES = dict(re.findall(r"^([a-z]+):(.*)$", MAKEFILE, re.MULTILINE))
NOT_COMMANDS = {"help", "tests"}


def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=20, check=False)


def test_command_when_it_is_a_rule_has_help_text() -> None:
    for name in PHONY - NOT_COMMANDS:
        assert re.search(r"## [a-z].{10,}", RULES[name]), name


def test_rule_when_it_is_not_a_file_is_phony() -> None:
    assert RULES.keys() == PHONY


def test_make_when_called_without_a_command_lists_every_command() -> None:
    listed = re.findall(r"^  make (\w+) +\S", make().stdout, re.MULTILINE)
    assert sorted(listed) == sorted(PHONY - NOT_COMMANDS)


def test_make_tests_when_called_fails_and_names_make_test() -> None:
    result = make("tests")
    assert result.returncode != 0
    assert "make test" in result.stderr


def test_dev_command_when_the_makefile_calls_it_exists() -> None:
    called = set(re.findall(r"-m dev (\w+)", MAKEFILE))
    assert called == COMMANDS.keys()
