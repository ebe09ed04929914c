"""The migration that makes the ledger brings in what was before it: the same books as if they had been kept from the beginning."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from kit.db.migrations import on_connection
from services.payments import held
from services.payments.db import engine, sessions
from services.payments.models import Payment
from services.payments.settings import settings
from tests.payments.conftest import found, payment
from tests.payments.test_ledger import OPERATOR, balances, pay, refund_processed


@pytest.fixture
async def migrated() -> AsyncIterator[None]:
    yield
    await _go("upgrade", "head")


async def _go(act: str, revision: str) -> None:
    await engine.dispose()
    await on_connection("services.payments", settings.payments_database_url, act, revision)


async def _books() -> list[tuple[str, str, str, str, int]]:
    query = (
        "SELECT t.key, t.kind, e.account, e.currency, e.amount FROM ledger_transactions t"
        " JOIN ledger_entries e ON e.transaction_id = t.id ORDER BY t.key, e.line"
    )
    async with sessions() as session:
        return [tuple(row) for row in await session.execute(text(query))]


async def _kinds_of_money() -> list[Payment]:
    made = [await payment() for _ in range(6)]
    sold, unknown_fee, short, accepted, other_mode, dollars = (one.reference for one in made)
    await pay(sold)
    await pay(unknown_fee, fees=None)
    await pay(short, amount=49_000)
    await pay(accepted, amount=51_000)
    await pay(other_mode, domain="live")
    await pay(dollars, currency="USD")
    await pay("dva-1")
    await pay((await payment()).reference, status="failed")
    for reference in (accepted, other_mode):
        async with sessions.begin() as session:
            await held.accept(session, reference, OPERATOR, "a regular")
    for reference, amount in ((sold, 20_000), (sold, 30_000), (short, 49_000), (accepted, 1_000), (other_mode, 7)):
        await refund_processed(await found(reference), amount)
    return made


async def test_the_opening_of_the_books(migrated: None) -> None:
    await _kinds_of_money()
    kept, sums = await _books(), await balances()
    assert set(sums) == {"NGN", "USD"}
    assert len(kept) == 2 * (7 + 6 + 2 + 5)
    await _go("downgrade", "0003")
    await _go("upgrade", "head")
    assert await _books() == kept
    assert await balances() == sums
