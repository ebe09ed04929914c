"""Lists for operators, and what is measured every few seconds, use indexes and do not scan all payments and refunds."""

from typing import Any

import pytest
from sqlalchemy import Select, select, text

from services.payments.db import engine
from services.payments.metrics import select_refunds_that_need_an_operator
from services.payments.models import Payment
from services.payments.refunds.models import Refund
from tests.fixtures.apps import RunningApp
from tests.fixtures.owners import owner_sessions

MANY = """
    WITH paid AS (
        INSERT INTO payments (reference, amount, currency, status, order_id, verify_next_attempt_at)
        SELECT 'many-' || n, 1, 'NGN', 'succeeded', gen_random_uuid(), 'infinity' FROM generate_series(1, 20000) AS n
        RETURNING id
    )
    INSERT INTO refunds (id, payment_id, amount, currency, status, requested_by)
    SELECT gen_random_uuid(), id, 1, 'NGN', 'processed', 'many' FROM paid
"""


def payments_of_status(status: str) -> Select[Any]:
    return select(Payment.id).where(Payment.status == status)


def refunds_of_status(*statuses: str) -> Select[Any]:
    return select(Refund.number).where(Refund.status.in_(statuses))


LISTS = {
    **{
        f"payments {status}": payments_of_status(status).order_by(Payment.id.desc()).limit(21)
        for status in ("held", "disputed", "partially_refunded", "refunded")
    },
    "held, oldest first": payments_of_status("held").order_by(Payment.id).limit(50),
    "refunds requested": refunds_of_status("requested"),
    "unfinished refunds": refunds_of_status("requested", "pending", "processing", "needs-attention")
    .order_by(Refund.number.desc())
    .limit(50),
    "refunds for an operator": select_refunds_that_need_an_operator(),
}


@pytest.fixture(scope="module")
async def plans(started_payments: RunningApp) -> dict[str, str]:
    async with owner_sessions("payments")() as session:  # the owner, because of ANALYZE
        await session.execute(text(MANY))
        await session.execute(text("ANALYZE payments, refunds"))
        found = {}
        for name, query in LISTS.items():
            sql = query.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
            found[name] = "\n".join((await session.execute(text(f"EXPLAIN {sql}"))).scalars())
        await session.rollback()
    return found


@pytest.mark.parametrize("name", LISTS)
async def test_query_uses_an_index_and_does_not_scan_the_table(plans: dict[str, str], name: str) -> None:
    assert "ix_payments_status_id" in plans[name] or "ix_refunds_not_processed" in plans[name], plans[name]
    assert "Seq Scan on payments" not in plans[name], plans[name]
    assert "Seq Scan on refunds" not in plans[name], plans[name]
