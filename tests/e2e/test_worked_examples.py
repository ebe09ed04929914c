"""The worked examples of docs/catalog.md: tables of requests, with parts of their answers."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid4

import pytest

from dev import PROJECT
from dev.merged_openapi import ROUTED, is_routed
from tests.fixtures.documents import section
from tests.fixtures.stack_client import Json, StackClient, until

pytestmark = pytest.mark.usefixtures("invariants")
PAGE = (PROJECT / "docs" / "catalog.md").read_text(encoding="utf-8")
HEADER = "| who | request | body | answer |"
IDS = {
    "products": {"product_id": "id"},
    "orders": {"order_id": "id", "number": "number", "status_token": "status_token"},
    "payments": {"reference": "reference"},
}
"""The names of values in later rows, each with its field in the answer, by the last part of the path that creates the object."""


class Row(NamedTuple):
    who: str
    method: str
    path: str
    body: str
    status: int
    answer: str


def examples() -> Iterator[tuple[str, list[Row]]]:
    """Yield the title of each section with an example, and its rows."""
    for title in re.findall(r"^## (.+)$", PAGE, re.MULTILINE):
        _, *tables = section(PAGE, title).split(f"{HEADER}\n|---|---|---|---|\n")
        rows = [parse(line) for table in tables for line in table.split("\n\n")[0].splitlines()]
        if rows:
            yield title, rows


def parse(line: str) -> Row:
    who, request, body, answer = (cell.strip() for cell in line.strip("|").split("|"))
    method, path = request.strip("`").split(" ", 1)
    status, _, part = answer.partition(" ")
    return Row(who, method, path, body.strip("`"), int(status), part.strip("`"))


def contains(found: object, expected: object) -> bool:
    """Return whether an answer has these fields; of a list, the first ones."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            key in found and contains(found[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(found, list) and all(map(contains, found, expected)) and len(found) >= len(expected)
    return found == expected


@pytest.mark.parametrize(("title", "rows"), list(examples()))
async def test_worked_example_answers_what_the_page_shows(shop: StackClient, title: str, rows: list[Row]) -> None:
    known: dict[str, str] = {}
    callers: dict[str, Json] = {"customer": shop.bearer(), "staff": shop.admin, "payer": {}}
    assert len(rows) > 5, title

    def filled(text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda name: known[name[1]], text)

    for row in rows:
        services = [name for name in ROUTED if is_routed(name, row.path)]
        url = shop.env[f"{services[0].upper() if services else 'SANDBOX'}_URL"] + filled(row.path)
        headers = {**callers[row.who], "Idempotency-Key": uuid4().hex}
        body = json.loads(filled(row.body)) if row.body else None
        expected = json.loads(filled(row.answer) or "{}")

        async def answered(
            row: Row = row, url: str = url, headers: Json = headers, body: object = body, expected: object = expected
        ) -> Json | None:
            answer = await shop.call(row.method, url, headers=headers, json=body)
            found: Json = answer.json() if answer.content else {}
            if row.method != "GET":  # what is read changes when the events have arrived
                assert (answer.status_code, contains(found, expected)) == (row.status, True), (row, answer.text)
            return found if contains(found, expected) else None

        found = await until(answered)
        if row.status == 201 and row.path.rpartition("/")[2] in IDS:
            known |= {name: found[field] for name, field in IDS[row.path.rpartition("/")[2]].items()}
