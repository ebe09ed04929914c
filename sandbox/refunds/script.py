"""For scripts and tests: say what becomes of a refund."""

import sqlite3

from fastapi import APIRouter

from sandbox.integration import Merchant
from sandbox.orders import Number, Raising
from sandbox.refunds import bodies
from sandbox.refunds.life import Outcome
from sandbox.transactions import ledger
from sandbox.wire import Answer, succeeded

router = APIRouter(prefix="/sandbox", tags=["Script"])


class Ordered(Raising):
    outcome: Outcome


@router.post("/refunds/{number}")
async def order_refund(number: Number, ordered: Ordered, merchant: Merchant) -> Answer:
    """Move a refund now, and raise its webhook. It takes no further step by itself; `processing` stays until the next order.

    Steps that are skipped raise nothing. A refund that is processed or failed stays so: 409.
    """

    def job(connection: sqlite3.Connection) -> Answer:
        refund = merchant.refunds.order(connection, number, ordered.outcome, ordered.order)
        return succeeded("Refund moved", bodies.fetched(refund, ledger.find_by_id(connection, refund.transaction_id)))

    answer = await merchant.store.run(job)
    merchant.wake()
    return answer
