"""How a refund begins, goes on and ends; with each step the transaction stands anew and a webhook is raised."""

import sqlite3
from dataclasses import dataclass, replace
from typing import Literal

from sandbox.errors import TransactionNotFound
from sandbox.identity import BY
from sandbox.orders import ONCE, Order
from sandbox.refunds import bodies, book
from sandbox.refunds.book import Refund
from sandbox.refunds.errors import (
    CurrencyDiffers,
    NothingToRetry,
    NotPaid,
    RefundIsOver,
    RefundNotFound,
    RefundTooLarge,
    RefundTooSmall,
)
from sandbox.store import now
from sandbox.transactions import ledger
from sandbox.transactions.cards import BY_NUMBER
from sandbox.transactions.ledger import Transaction
from sandbox.webhooks.postbox import Event, Postbox

Outcome = Literal["processed", "failed", "needs-attention", "processing"]
MINIMUM = {"GHS": 100}
"""Subunits, seen on the test API; of other currencies no minimum is known."""
AT_ONCE = 200
"""Refunds that take a step in one commit."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a merchant sends to /refund, already read."""

    transaction: str
    """Reference or numeric id."""
    amount: int | None
    """Subunits; None: the whole original, even after a partial refund, which is then too much."""
    currency: str | None
    customer_note: str | None
    merchant_note: str | None


class RefundLife:
    """`step`: seconds from pending to processing, and from there to the end; 0: only a script moves a refund."""

    def __init__(self, postbox: Postbox, step: float) -> None:
        self._postbox = postbox
        self._step = step

    def begin(self, connection: sqlite3.Connection, asked: Asked) -> tuple[Refund, Transaction]:
        """Errors: TransactionNotFound, NotPaid, CurrencyDiffers, RefundTooSmall, RefundTooLarge."""
        transaction = ledger.find(connection, asked.transaction)
        if transaction is None and asked.transaction.isascii() and asked.transaction.isdigit():
            transaction = ledger.find_by_id(connection, min(int(asked.transaction), 2**63 - 1))
        if transaction is None:
            raise TransactionNotFound
        if not transaction.paid:
            raise NotPaid
        if asked.currency is not None and asked.currency != transaction.currency:
            raise CurrencyDiffers
        amount = transaction.amount if asked.amount is None else asked.amount
        if amount < MINIMUM.get(transaction.currency, 1):
            raise RefundTooSmall
        if book.taken(connection, transaction.id) + amount > transaction.amount:
            raise RefundTooLarge
        draft = _draft(transaction, amount)
        refund = book.add(
            connection,
            replace(
                draft,
                customer_note=asked.customer_note or draft.customer_note,
                merchant_note=asked.merchant_note or draft.merchant_note,
                next_at=self._next(draft.created_at),
            ),
        )
        self._tell(connection, refund)
        return refund, transaction

    def order(self, connection: sqlite3.Connection, number: int, outcome: Outcome, order: Order) -> Refund:
        """What a script wants to become of it. Errors: RefundNotFound, RefundIsOver."""
        refund = book.find(connection, number)
        if refund is None:
            raise RefundNotFound
        if refund.over:
            raise RefundIsOver
        return self._move(connection, refund, outcome, None, order)

    def retry(self, connection: sqlite3.Connection, number: int, currency: str) -> Refund:
        """With the payer's account it goes on, and ends well. Errors: RefundNotFound, NothingToRetry, CurrencyDiffers."""
        refund = book.find(connection, number)
        if refund is None:
            raise RefundNotFound
        if refund.status != "needs-attention":
            raise NothingToRetry
        if currency != refund.currency:
            raise CurrencyDiffers
        refund = book.write(connection, refund, ending="processed")
        return self._move(connection, refund, "processing", self._next(now()))

    def advance(self, connection: sqlite3.Connection, at: int) -> int | None:
        """Every refund that is due takes its step. Answers when the next is due."""
        for refund in book.due(connection, at, AT_ONCE):
            if refund.status == "pending":
                self._move(connection, refund, "processing", self._next(at))
            else:
                self._move(connection, refund, refund.ending, None)
        return book.next_due(connection)

    def _next(self, at: int) -> int | None:
        return at + int(self._step * 1000) if self._step else None

    def _move(
        self, connection: sqlite3.Connection, refund: Refund, outcome: Outcome, next_at: int | None, order: Order = ONCE
    ) -> Refund:
        at = now()
        moved = book.write(
            connection,
            refund,
            status=outcome,
            updated_at=at,
            refunded_at=at if outcome == "processed" else None,
            next_at=next_at,
        )
        if moved.status != refund.status:
            self._tell(connection, moved, order)
        return moved

    def _tell(self, connection: sqlite3.Connection, refund: Refund, order: Order = ONCE) -> None:
        ledger.stand(connection, refund.transaction_id, book.standing(connection, refund.transaction_id))
        event = Event(f"refund.{refund.status}", refund.reference, refund.id, bodies.notice(refund))
        self._postbox.put(connection, event, order)


def paid_back(connection: sqlite3.Connection, transaction: Transaction, amount: int, dispute: int) -> Transaction:
    """What an accepted dispute gives back, as far as there is anything left: at once, and no webhook of a refund tells it."""
    amount = min(amount, transaction.amount - book.taken(connection, transaction.id))
    if amount <= 0:
        return transaction
    draft = _draft(transaction, amount)
    book.add(connection, replace(draft, status="processed", dispute=dispute, refunded_at=draft.created_at))
    return _stand(connection, transaction)


def _stand(connection: sqlite3.Connection, transaction: Transaction) -> Transaction:
    status = book.standing(connection, transaction.id)
    ledger.stand(connection, transaction.id, status)
    return replace(transaction, status=status)


def _draft(transaction: Transaction, amount: int) -> Refund:
    at = now()
    words = f"Refund for transaction {transaction.reference}"
    return Refund(
        id=0,
        transaction_id=transaction.id,
        reference=transaction.reference,
        email=transaction.email,
        domain=transaction.domain,
        amount=amount,
        currency=transaction.currency,
        status="pending",
        ending=BY_NUMBER[transaction.card].refunds_end,
        customer_note=words,
        merchant_note=f"{words} by {BY}",
        dispute=None,
        settlement=None,
        created_at=at,
        updated_at=at,
        refunded_at=None,
        next_at=None,
    )
