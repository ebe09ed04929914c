"""Options and arguments that many commands have."""

import importlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import typer
from typer.main import get_command

from kit.cli.options import parse_id

COMMAND_LINES = ("services.auth.cli.commands", "services.catalog.cli", "services.payments.cli.commands")


def parameters(command: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name of each command and the description of each of its parameters."""
    for parameter in command.params:
        if descriptor := getattr(parameter, "type_descriptor", None):
            yield f"{command.name} {parameter.name}", descriptor
    for child in getattr(command, "commands", {}).values():
        yield from parameters(child)


def test_id_is_a_uuid() -> None:
    found = uuid4()
    assert parse_id(str(found)) == found
    for other in ("", "foo", "5b0b7b4e-5a3c-4a0e-9a57"):
        with pytest.raises(typer.BadParameter, match="must be an id such as 5b0b7b4e-"):
            parse_id(other)


def test_ids_of_all_command_lines_are_parsed_by_parse_id() -> None:
    """The message of typer's own parser is about the characters of a UUID."""
    commands = [get_command(importlib.import_module(module).cli) for module in COMMAND_LINES]
    ids = {
        name: descriptor.parameter_info.parser
        for command in commands
        for name, descriptor in parameters(command)
        if descriptor.annotation is UUID
    }
    assert ids == dict.fromkeys(("resend mail_id", "list order_id", "bind order_id", "close refund_id"), parse_id)
