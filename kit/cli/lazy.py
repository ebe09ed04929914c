"""Declare commands without importing what they do: `--help` needs no configuration and takes a tenth of a second of CPU time."""

import importlib
from typing import Any

import typer


def load(target: str) -> Any:
    """Import `module:name` and return the object."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def call(target: str, *args: object, **kwargs: object) -> Any:
    """Import the function `module:name` and call it."""
    return load(target)(*args, **kwargs)


def create_cli(description: str) -> typer.Typer:
    """Return a command line, or a group of commands. The help is plain text: to import rich would double its CPU time."""
    return typer.Typer(
        help=description,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"max_content_width": 120},
    )
