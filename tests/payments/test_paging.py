"""Lists in pages, while a thousand rows come and go: nothing that stays is missed or told twice."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple

import httpx
import pytest
from sqlalchemy import text

from kit.pagination import encode_cursor
from services.payments.db import sessions
from tests.conftest import ADMIN, Signer

STAYING, COMING = 30, 1000


class Listing(NamedTuple):
    """`make`: rows `:first` to `:last`, staying where `:stays`; `unmake`: some of those that do not stay."""

    path: str
    shown: str
    make: str
    unmake: str | None
    cursors: list[str]


NUMBERS, NAME = "generate_series(CAST(:first AS bigint), CAST(:last AS bigint))", "CAST(:stays AS text) || n"
NOW = datetime(2026, 11, 23, tzinfo=UTC).isoformat()
LISTS = [
    Listing(
        "/payments",
        "reference",
        "INSERT INTO payments (reference, payer_id, amount, currency, verify_next_attempt_at)"
        f" SELECT {NAME}, 'p', 1, 'NGN', now() FROM {NUMBERS} n",
        "DELETE FROM payments WHERE reference LIKE 'goes%' AND id % 2 = 0",
        [encode_cursor("payments", "1"), encode_cursor("payments", 2**63), encode_cursor("notices", 1)],
    ),
    Listing(
        "/payments/webhook-events",
        "reference",
        f"INSERT INTO webhook_events (key, body, reference) SELECT {NAME}, '', {NAME} FROM {NUMBERS} n",
        "DELETE FROM webhook_events WHERE reference LIKE 'goes%' AND id % 2 = 0",
        [encode_cursor("notices", "1"), encode_cursor("notices", 2**63), encode_cursor("payments", 1)],
    ),
    Listing(
        "/payments/disputes",
        "reference",
        "INSERT INTO disputes (id, reference, status, opened_at, due_at)"
        f" SELECT n, {NAME}, 'pending', now(), now() + n % 7 * interval '1 s' FROM {NUMBERS} n",
        "DELETE FROM disputes WHERE reference LIKE 'goes%' AND id % 2 = 0",
        [
            encode_cursor("disputes open", 1, 1),
            encode_cursor("disputes over", NOW, 1),
            encode_cursor("disputes open", "yesterday", 1),
            encode_cursor("disputes open", "2026-11-23T09:00:00", 1),
            encode_cursor("disputes open", "0001-01-01T00:00:00+14:00", 1),
            encode_cursor("disputes open", "9999-12-31T23:59:59-14:00", 1),
            encode_cursor("disputes open", NOW, 2**63),
        ],
    ),
    Listing(
        "/payments/ledger",
        "reference",
        "WITH paid AS (INSERT INTO payments (reference, amount, currency, verify_next_attempt_at)"
        f"   SELECT {NAME}, 1, 'NGN', now() FROM {NUMBERS} n RETURNING id, reference),"
        " told AS (INSERT INTO ledger_transactions (key, kind, payment_id, occurred_at)"
        "   SELECT reference, 'received', id, now() FROM paid RETURNING id)"
        " INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)"
        "   SELECT id, line, account, 'NGN', amount FROM told"
        "   CROSS JOIN (VALUES (1, 'paystack:receivable', 1), (2, 'sales', -1)) AS side (line, account, amount)",
        None,
        [encode_cursor("ledger", 1), encode_cursor("payments", 1)],
    ),
]
each = pytest.mark.parametrize("of", LISTS, ids=lambda of: of.path)
Reading = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def read(client: httpx.AsyncClient, signer: Signer) -> Reading:
    headers = signer.headers(scopes=ADMIN)

    async def asked(of: Listing, **params: str | int) -> httpx.Response:
        return await client.get(of.path, params=params, headers=headers)

    return asked


async def run(statement: str, **values: str | int) -> None:
    async with sessions.begin() as session:
        await session.execute(text(statement), values)


@each
async def test_pages_hold_while_rows_come_and_go(read: Reading, of: Listing) -> None:
    for n in range(STAYING):
        await run(of.make, stays="stays", first=100 * n, last=100 * n)
        await run(of.make, stays="goes", first=100 * n + 1, last=100 * n + 1)
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 7}
    come = STAYING * 100
    while True:
        page = (await read(of, **params)).json()
        seen += [item[of.shown] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
        if come < STAYING * 100 + COMING:
            await run(of.make, stays="goes", first=come, last=come + 249)
            come += 250
        if of.unmake is not None:
            await run(of.unmake)
    staying = [reference for reference in seen if reference.startswith("stays")]
    lines = 2 if of.path == "/payments/ledger" else 1
    assert sorted(staying) == sorted([f"stays{100 * n}" for n in range(STAYING)] * lines)
    assert max(seen.count(reference) for reference in seen) == lines
    assert come == STAYING * 100 + COMING


@each
@pytest.mark.parametrize("limit", ["1000000000", "101", "0", "-1", "1e2", "9" * 5000])
async def test_no_page_is_too_large(read: Reading, of: Listing, limit: str) -> None:
    answer = await read(of, limit=limit)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(("of", "cursor"), [(of, cursor) for of in LISTS for cursor in [*of.cursors, "x", "e30"]])
async def test_a_forged_cursor(read: Reading, of: Listing, cursor: str) -> None:
    answer = await read(of, cursor=cursor)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), answer.text
