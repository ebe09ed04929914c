"""Lists in pages while a thousand rows come and go: no row that stays is missed or shown twice."""

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple

import httpx
import pytest

from kit.pagination import encode_cursor
from tests.fixtures.payments_rows import execute

STAYING, COMING = 30, 1000


class Listing(NamedTuple):
    """`create` inserts rows `:first` to `:last`, whose names begin with `:prefix`; `delete` deletes some of those that go."""

    path: str
    shown: str
    create: str
    delete: str | None
    forged_cursors: list[str]


NUMBERS, NAME = "generate_series(CAST(:first AS bigint), CAST(:last AS bigint))", "CAST(:prefix AS text) || n"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
LISTS = [
    Listing(
        "/payments",
        "reference",
        "INSERT INTO payments (reference, customer_id, amount, currency, verify_next_attempt_at)"
        f" SELECT {NAME}, 'p', 1, 'NGN', now() FROM {NUMBERS} n",
        "DELETE FROM payments WHERE reference LIKE 'goes%' AND id % 2 = 0",
        [encode_cursor("payments", "1"), encode_cursor("payments", 2**63), encode_cursor("webhook events", 1)],
    ),
    Listing(
        "/payments/webhook-events",
        "reference",
        f"INSERT INTO webhook_events (key, body, reference) SELECT {NAME}, '', {NAME} FROM {NUMBERS} n",
        "DELETE FROM webhook_events WHERE reference LIKE 'goes%' AND id % 2 = 0",
        [encode_cursor("webhook events", "1"), encode_cursor("webhook events", 2**63), encode_cursor("payments", 1)],
    ),
    Listing(
        "/payments/disputes",
        "reference",
        "INSERT INTO disputes (id, reference, status, opened_at, due_at)"
        f" SELECT n, {NAME}, 'pending', now(), now() + n % 7 * interval '1 s' FROM {NUMBERS} n",
        "DELETE FROM disputes WHERE reference LIKE 'goes%' AND id % 2 = 0",
        [
            encode_cursor("disputes open", "1", 1),
            encode_cursor("disputes over", NOW, 1),
            encode_cursor("disputes open", "yesterday", 1),
            encode_cursor("disputes open", "2026-11-23T09:00:00", 1),
            encode_cursor("disputes open", -(10**17), 1),  # before year 1
            encode_cursor("disputes open", 10**18, 1),  # after year 9999
            encode_cursor("disputes open", NOW, 2**63),
        ],
    ),
    Listing(
        "/payments/ledger",
        "reference",
        "WITH paid AS (INSERT INTO payments (reference, amount, currency, verify_next_attempt_at)"
        f"   SELECT {NAME}, 1, 'NGN', now() FROM {NUMBERS} n RETURNING id, reference),"
        " moved AS (INSERT INTO ledger_transactions (key, kind, payment_id, occurred_at)"
        "   SELECT reference, 'received', id, now() FROM paid RETURNING id)"
        " INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)"
        "   SELECT id, line, account, 'NGN', amount FROM moved"
        "   CROSS JOIN (VALUES (1, 'paystack:receivable', 1), (2, 'sales', -1)) AS side (line, account, amount)",
        None,
        [encode_cursor("ledger", 1), encode_cursor("payments", 1)],
    ),
]
each_list = pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.path)
Reading = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def read(client: httpx.AsyncClient, operator: dict[str, str]) -> Reading:
    async def asked(listing: Listing, **params: str | int) -> httpx.Response:
        return await client.get(listing.path, params=params, headers=operator)

    return asked


@each_list
async def test_pages_when_rows_come_and_go_show_each_staying_row_once(read: Reading, listing: Listing) -> None:
    for n in range(STAYING):
        await execute(listing.create, prefix="stays", first=100 * n, last=100 * n)
        await execute(listing.create, prefix="goes", first=100 * n + 1, last=100 * n + 1)
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 7}
    inserted = STAYING * 100
    while True:
        page = (await read(listing, **params)).json()
        seen += [item[listing.shown] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
        if inserted < STAYING * 100 + COMING:
            await execute(listing.create, prefix="goes", first=inserted, last=inserted + 249)
            inserted += 250
        if listing.delete is not None:
            await execute(listing.delete)
    staying = [reference for reference in seen if reference.startswith("stays")]
    lines = 2 if listing.path == "/payments/ledger" else 1
    assert sorted(staying) == sorted([f"stays{100 * n}" for n in range(STAYING)] * lines)
    assert max(seen.count(reference) for reference in seen) == lines
    assert inserted == STAYING * 100 + COMING


@each_list
@pytest.mark.parametrize("limit", ["1000000000", "101", "0", "-1", "1e2", "9" * 5000])
async def test_list_when_the_limit_is_invalid_answers_422(read: Reading, listing: Listing, limit: str) -> None:
    answer = await read(listing, limit=limit)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("listing", "cursor"),
    [(listing, cursor) for listing in LISTS for cursor in [*listing.forged_cursors, "x", "e30"]],
    ids=map(str, itertools.count()),  # the cursors differ in each process, and so would the names of the tests
)
async def test_list_when_the_cursor_is_forged_answers_400(read: Reading, listing: Listing, cursor: str) -> None:
    answer = await read(listing, cursor=cursor)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), answer.text
