"""The Makefile explains every verb, and no verb does nothing silently."""

import re
import subprocess

from dev import PROJECT
from dev.__main__ import COMMANDS

MAKEFILE = (PROJECT / "Makefile").read_text()
PHONY = set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split())
RULES = dict(re.findall(r"^([a-z]+):(.*)$", MAKEFILE, re.MULTILINE))
NOT_VERBS = {"help", "tests"}


def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=20, check=False)


def test_verb_when_it_is_a_rule_has_help_text() -> None:
    for verb in PHONY - NOT_VERBS:
        assert re.search(r"## [a-z].{10,}", RULES[verb]), verb


def test_rule_when_it_is_not_a_file_is_phony() -> None:
    assert RULES.keys() == PHONY


def test_make_when_called_without_a_verb_lists_every_verb() -> None:
    listed = re.findall(r"^  make (\w+) +\S", make().stdout, re.MULTILINE)
    assert sorted(listed) == sorted(PHONY - NOT_VERBS)


def test_make_tests_when_called_fails_and_names_make_test() -> None:
    result = make("tests")
    assert result.returncode != 0
    assert "make test" in result.stderr


def test_dev_command_when_the_makefile_calls_it_exists() -> None:
    called = set(re.findall(r"-m dev (\w+)", MAKEFILE))
    assert called == COMMANDS.keys()
