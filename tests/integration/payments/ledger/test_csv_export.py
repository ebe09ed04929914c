"""The ledger as CSV: complete, in order, safe for spreadsheets, and read no faster than its reader."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.payments.db import sessions
from services.payments.ledger import csv_export, queries
from services.payments.ledger.queries import Filter
from tests.factories.payments import create_payment
from tests.fakes.paystack import charge
from tests.fixtures.payments_jobs import settle_charges


async def test_csv_when_it_takes_several_batches_is_complete_and_in_order(
    client: httpx.AsyncClient, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.payments.ledger.queries.batches.__defaults__", (7,))
    references = [(await create_payment()).reference for _ in range(5)]
    await settle_charges(*map(charge, references))
    await create_payment('=HYPERLINK("http://evil.test")')
    await settle_charges(charge('=HYPERLINK("http://evil.test")', fees=None))
    answer = await client.get("/payments/ledger.csv", headers=operator)
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 22
    assert sum(int(row["amount"]) for row in rows) == 0
    assert [row["recorded_at"] for row in rows] == sorted(row["recorded_at"] for row in rows)
    assert {row["reference"] for row in rows} == {*references, '\'=HYPERLINK("http://evil.test")'}
    empty = await client.get("/payments/ledger.csv", params={"to": "2020-01-01"}, headers=operator)
    assert empty.text.splitlines() == [",".join(rows[0])]


async def test_export_when_its_reader_is_slow_reads_one_batch_ahead_at_most() -> None:
    references = [f"pay-dva-{number}" for number in range(20)]
    await settle_charges(*(charge(reference, fees=None) for reference in references))
    batches = [batch async for batch in queries.batches(sessions, Filter(), 8)]
    assert [len(batch) for batch in batches] == [8, 8, 8, 8, 8, 0]
    read = []

    async def rest() -> AsyncIterator[Any]:
        for batch in batches[1:]:
            read.append(len(batch))
            yield batch

    written = csv_export.lines(batches[0], rest())
    for _ in range(3):  # the header, the batch that was read before, one more batch
        await anext(written)
    assert read == [8]
