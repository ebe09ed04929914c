"""What must be true whatever died: checked in the three databases themselves, once everything has come to rest."""

from typing import Any

import aio_pika
import asyncpg

from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ORDERS
from dev.stack import Stack
from tests.system.shop import until

AT_REST = 60.0
PAID = ("succeeded", "partially_refunded")
UNBOOKED = """
    SELECT p.reference, p.paid_amount, p.refunded_amount FROM payments p
    LEFT JOIN ledger_transactions t ON t.payment_id = p.id
    LEFT JOIN ledger_entries e ON e.transaction_id = t.id AND e.line = 1
    GROUP BY p.id
    HAVING coalesce(p.paid_amount, 0) <> coalesce(sum(e.amount) FILTER (WHERE t.kind = 'received'), 0)
        OR p.refunded_amount <> coalesce(sum(e.amount) FILTER (WHERE t.kind = 'refunded'), 0)
"""


class Invariants:
    def __init__(self, stack: Stack) -> None:
        self.env = stack.env

    async def rows(self, service: str, query: str) -> list[Any]:
        connection = await asyncpg.connect(self.env[f"{service.upper()}_DATABASE_URL"], timeout=5)
        try:
            return list(await connection.fetch(query, timeout=10))
        finally:
            await connection.close(timeout=5)

    async def at_rest(self) -> None:
        """Waits until nothing is under way: no notice unsettled, no event unsent, none untaken."""

        async def quiet() -> bool | None:
            try:
                waiting = [
                    *await self.rows("payments", "SELECT 1 FROM notices WHERE state = 'pending'"),
                    *await self.rows("payments", "SELECT 1 FROM outbox"),
                    *await self.rows(
                        "payments", "SELECT 1 FROM refunds WHERE status IN ('requested', 'pending', 'processing')"
                    ),
                    *await self.rows("payments", "SELECT 1 FROM inbox WHERE state = 'pending'"),
                    *await self.rows("catalog", "SELECT 1 FROM inbox WHERE state = 'pending'"),
                    *await self.rows("catalog", "SELECT 1 FROM outbox"),
                ]
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                return None
            return None if waiting else True

        await until(quiet, AT_REST)

        async def consumed() -> bool | None:
            paid = await self.rows("payments", f"SELECT reference FROM payments WHERE status IN {PAID}")
            told = await self.rows("catalog", "SELECT payment_reference AS reference FROM deliveries")
            return True if {row["reference"] for row in paid} <= {row["reference"] for row in told} else None

        await until(consumed, AT_REST)

    async def dead_letters(self) -> dict[str, int]:
        """Messages that a queue could not get rid of otherwise."""
        async with await aio_pika.connect(self.env["AMQP_URL"], timeout=5) as connection:
            channel = await connection.channel()
            found = {}
            for queue in (CATALOG_PAYMENTS, PAYMENTS_ORDERS):
                declared = await channel.get_queue(queue.dead)
                found[queue.dead] = declared.declaration_result.message_count or 0
            return found

    async def hold(self) -> None:
        await self.at_rest()
        payments = {
            row["reference"]: row
            for row in await self.rows("payments", "SELECT reference, order_id, amount, currency, status FROM payments")
        }
        deliveries = await self.rows("catalog", "SELECT order_id, payment_reference FROM deliveries")
        orders = {
            row["id"]: row for row in await self.rows("catalog", "SELECT id, status, amount, currency FROM orders")
        }

        delivered = [row["payment_reference"] for row in deliveries]
        assert len(delivered) == len(set(delivered)), "a payment was delivered twice"
        assert len(deliveries) == len({row["order_id"] for row in deliveries}), "an order was delivered twice"

        paid = {reference for reference, row in payments.items() if row["status"] in PAID}
        assert paid <= set(delivered), "paid and not delivered"
        returned = {reference for reference, row in payments.items() if row["status"] == "refunded"}
        assert set(delivered) <= paid | returned, "delivered and not paid"
        for row in deliveries:
            payment, order = payments[row["payment_reference"]], orders[row["order_id"]]
            assert payment["order_id"] == row["order_id"]
            assert (payment["amount"], payment["currency"]) == (order["amount"], order["currency"])
            assert order["status"] in {"delivered", "refunded"}
        handed_over = {row["order_id"] for row in deliveries}
        said = {order_id for order_id, row in orders.items() if row["status"] == "delivered"}
        assert said <= handed_over, "an order says delivered and has no delivery"

        unbalanced = "SELECT currency FROM ledger_entries GROUP BY currency HAVING sum(amount) <> 0"
        assert not await self.rows("payments", unbalanced), "the ledger does not balance"
        assert not await self.rows("payments", UNBOOKED), "a payment and the ledger differ"

        assert not await self.rows("catalog", "SELECT 1 FROM products WHERE stock < 0"), "stock below zero"
        failed = await self.rows("catalog", "SELECT error FROM inbox WHERE state = 'failed'")
        assert not failed, f"events that failed: {failed}"
