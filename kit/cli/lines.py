"""Check a line of text that an operator typed, with the rules of the HTTP API."""

import typer
from pydantic import TypeAdapter, ValidationError

from kit.fields import Line

LINE: TypeAdapter[str] = TypeAdapter(Line)


def validate_line(typed: str) -> str:
    """Return one line of text. Raises BadParameter if it is empty, longer than 200 characters or has line breaks."""
    try:
        return LINE.validate_python(typed)
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"]) from error
