"""Read files of accounts: CSV with a header, or JSON Lines. Each line is read by itself, so an invalid line does not stop the others."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, BinaryIO, Literal

from pydantic import AfterValidator, Field, ValidationError

from kit.fields import Line
from kit.schemas import RequestModel
from kit.validation_errors import describe
from services.auth.email_addresses import Email
from services.auth.management.stored_hashes import check_stored_hash

MAX_LINE_BYTES = 8192
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
Format = Literal["csv", "jsonl"]


class ImportedAccount(RequestModel):
    """A line of a file: the columns or keys, of which `name` and `email_verified` may be absent."""

    email: Email
    password_hash: Annotated[str, Field(max_length=300), AfterValidator(check_stored_hash)]
    name: Line | None = None
    email_verified: bool = False


class RefusedLine(ValueError):
    """A line that cannot be imported. The message says why, and quotes nothing of the file."""


class RefusedFile(ValueError):
    """A file of which no line can be imported. The message says why."""


Row = tuple[int, ImportedAccount | RefusedLine]
"""The number of a line, from 1, and its account or the error."""


def read_accounts(file: BinaryIO, file_format: Format) -> Iterator[Row]:
    """Yield the lines of a file, without the header and blank lines. Raises RefusedFile."""
    lines = _lines(file)
    return _read_csv(lines) if file_format == "csv" else _read_json_lines(lines)


def _lines(file: BinaryIO) -> Iterator[tuple[int, str | RefusedLine]]:
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE_BYTES)
            yield number, RefusedLine(f"the line is longer than {MAX_LINE_BYTES} bytes")
            continue
        try:
            text = line.removeprefix(BYTE_ORDER_MARK if number == 1 else b"").decode().strip("\r\n")
        except UnicodeDecodeError:
            yield number, RefusedLine("the line is not encoded in UTF-8")
            continue
        if text.strip():
            yield number, text


def _read_csv(lines: Iterator[tuple[int, str | RefusedLine]]) -> Iterator[Row]:
    _, header = next(lines, (0, ""))
    columns: list[str] = []
    if isinstance(header, str):
        with suppress(RefusedLine):
            columns = [name.strip() for name in _split(header)]
    known = ImportedAccount.model_fields
    required = {name for name, field in known.items() if field.is_required()}
    if len(set(columns)) < len(columns) or not required <= set(columns) <= set(known):
        raise RefusedFile(
            f"the first line must name the columns, each once: {', '.join(known)}. Required: {', '.join(sorted(required))}"
        )
    for number, line in lines:
        try:
            if isinstance(line, RefusedLine):
                raise line
            yield number, _account(_named(columns, _split(line)))
        except RefusedLine as error:
            yield number, error


def _named(columns: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    if len(values) != len(columns):
        raise RefusedLine(f"the line has {len(values)} values, and the header {len(columns)}")
    # An empty value means that the field is absent.
    return {name: value for name, value in zip(columns, values, strict=True) if value}


def _split(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        raise RefusedLine("the line is not valid CSV: does a quotation mark have no end?") from None


def _read_json_lines(lines: Iterator[tuple[int, str | RefusedLine]]) -> Iterator[Row]:
    for number, line in lines:
        try:
            if isinstance(line, RefusedLine):
                raise line
            yield number, _account(_parse(line))
        except RefusedLine as error:
            yield number, error


def _parse(line: str) -> Mapping[str, object]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise RefusedLine("the line is not valid JSON") from None
    if not isinstance(found, dict):
        raise RefusedLine("the line is not a JSON object")
    return found


def _account(values: Mapping[str, object]) -> ImportedAccount:
    try:
        return ImportedAccount.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        if first["type"] == "extra_forbidden":  # the name of the field is text of the file
            raise RefusedLine(
                f"the line has an unknown field: known fields are {', '.join(ImportedAccount.model_fields)}"
            ) from None
        raise RefusedLine(describe({**first, "loc": ("line", *first["loc"])})) from None
