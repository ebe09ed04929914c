"""For scripts and tests: say what becomes of a refund."""

import sqlite3

from fastapi import APIRouter

from sandbox import ledger
from sandbox.integration import Merchant
from sandbox.orders import Delay, Deliveries, Strict
from sandbox.postbox import Order
from sandbox.refunds import bodies
from sandbox.refunds.life import Outcome
from sandbox.wire import Answer, succeeded

router = APIRouter(prefix="/sandbox", tags=["Script"])


class Ordered(Strict):
    outcome: Outcome
    deliveries: Deliveries = 1
    delay_ms: Delay = 0


@router.post("/refunds/{number}")
async def order_refund(number: int, ordered: Ordered, merchant: Merchant) -> Answer:
    """Move a refund now, and raise its webhook. It takes no further step by itself; `processing` stays until the next order.

    Steps that are skipped raise nothing. A refund that is processed or failed stays so: 409.
    """
    order = Order(ordered.deliveries, ordered.delay_ms)

    def job(connection: sqlite3.Connection) -> Answer:
        refund = merchant.refunds.order(connection, number, ordered.outcome, order)
        return succeeded("Refund moved", bodies.fetched(refund, ledger.find_by_id(connection, refund.transaction_id)))

    answer = await merchant.store.run(job)
    merchant.wake()
    return answer
