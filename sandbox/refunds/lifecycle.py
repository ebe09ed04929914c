"""Steps of a refund. Each sets the status of the transaction and queues a webhook."""

import sqlite3
from dataclasses import dataclass, replace

from sandbox.controls import DEFAULT_DELIVERY, DeliveryOptions
from sandbox.enums import RefundOutcome, RefundStatus
from sandbox.errors import TransactionNotFound
from sandbox.merchant import MERCHANT_EMAIL
from sandbox.refunds import bodies, queries
from sandbox.refunds.errors import (
    CurrencyDiffers,
    InsufficientBalance,
    NotPaid,
    RefundFinished,
    RefundNotFound,
    RefundNotRetryable,
    RefundTooLarge,
    RefundTooSmall,
)
from sandbox.refunds.models import Refund
from sandbox.timestamps import now
from sandbox.transactions import queries as transaction_queries
from sandbox.transactions.cards import CARDS_BY_NUMBER
from sandbox.transactions.models import Transaction
from sandbox.webhooks.dispatcher import WebhookDispatcher, WebhookEvent

MINIMUM_AMOUNT = {"GHS": 100}
"""Subunits, seen on Paystack's test API. The minimums of other currencies are not known."""
BATCH = 200
"""Maximum number of refunds whose due step is carried out in one commit."""


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Parsed body of POST /refund."""

    transaction: str
    """Reference or numeric id."""
    amount: int | None
    """Subunits. None: the full amount of the transaction. After a partial refund, this raises RefundTooLarge."""
    currency: str | None
    customer_note: str | None
    merchant_note: str | None


class RefundLifecycle:
    """Carries out the steps of refunds. `step_seconds`: duration of each of the two timed steps; 0: there are no timed steps."""

    def __init__(self, dispatcher: WebhookDispatcher, step_seconds: float) -> None:
        self._dispatcher = dispatcher
        self._step_seconds = step_seconds

    def create(
        self, connection: sqlite3.Connection, request: RefundRequest, *, enough_balance: bool = True
    ) -> tuple[Refund, Transaction]:
        """Create a pending refund.

        Raises TransactionNotFound, NotPaid, CurrencyDiffers, RefundTooSmall, RefundTooLarge; without `enough_balance` InsufficientBalance.
        """
        transaction = _find_transaction(connection, request.transaction)
        if not transaction.paid:
            raise NotPaid
        if request.currency is not None and request.currency != transaction.currency:
            raise CurrencyDiffers
        amount = transaction.amount if request.amount is None else request.amount
        if amount < MINIMUM_AMOUNT.get(transaction.currency, 1):
            raise RefundTooSmall
        if queries.sum_refunded(connection, transaction.id) + amount > transaction.amount:
            raise RefundTooLarge
        if not enough_balance:
            raise InsufficientBalance
        draft = _draft(transaction, amount)
        refund = queries.add(
            connection,
            replace(
                draft,
                customer_note=request.customer_note or draft.customer_note,
                merchant_note=request.merchant_note or draft.merchant_note,
                next_step_at=self._next_step_at(draft.created_at),
            ),
        )
        self._report_status(connection, refund)
        return refund, transaction

    def set_outcome(
        self, connection: sqlite3.Connection, refund_id: int, outcome: RefundOutcome, delivery: DeliveryOptions
    ) -> Refund:
        """Change the status at the request of a control call, and stop the timed steps. Raises RefundNotFound, RefundFinished."""
        refund = queries.find(connection, refund_id)
        if refund is None:
            raise RefundNotFound
        if refund.finished:
            raise RefundFinished
        return self._set_status(connection, refund, RefundStatus(outcome), None, delivery)

    def retry(self, connection: sqlite3.Connection, refund_id: int, currency: str) -> Refund:
        """Continue a refund that needed the payer's bank account. Its final status becomes processed.

        Raises RefundNotFound, RefundNotRetryable, CurrencyDiffers.
        """
        refund = queries.find(connection, refund_id)
        if refund is None:
            raise RefundNotFound
        if refund.status != RefundStatus.NEEDS_ATTENTION:
            raise RefundNotRetryable
        if currency != refund.currency:
            raise CurrencyDiffers
        refund = queries.save(connection, replace(refund, final_status=RefundStatus.PROCESSED))
        return self._set_status(connection, refund, RefundStatus.PROCESSING, self._next_step_at(now()))

    def advance(self, connection: sqlite3.Connection, at: int) -> int | None:
        """Carry out the steps that are due (job of the scheduler)."""
        for refund in queries.list_due(connection, at, BATCH):
            if refund.status == RefundStatus.PENDING:
                self._set_status(connection, refund, RefundStatus.PROCESSING, self._next_step_at(at))
            else:
                self._set_status(connection, refund, refund.final_status, None)
        return queries.next_due_at(connection)

    def _next_step_at(self, at: int) -> int | None:
        return at + int(self._step_seconds * 1000) if self._step_seconds else None

    def _set_status(
        self,
        connection: sqlite3.Connection,
        refund: Refund,
        status: RefundStatus,
        next_step_at: int | None,
        delivery: DeliveryOptions = DEFAULT_DELIVERY,
    ) -> Refund:
        at = now()
        refunded_at = at if status == RefundStatus.PROCESSED else None
        changed = replace(refund, status=status, updated_at=at, refunded_at=refunded_at, next_step_at=next_step_at)
        queries.save(connection, changed)
        if changed.status != refund.status:
            self._report_status(connection, changed, delivery)
        return changed

    def _report_status(
        self, connection: sqlite3.Connection, refund: Refund, delivery: DeliveryOptions = DEFAULT_DELIVERY
    ) -> None:
        """Set the status of the transaction and queue the webhook refund.<status>."""
        status = queries.transaction_status(connection, refund.transaction_id)
        transaction_queries.set_status(connection, refund.transaction_id, status)
        event = WebhookEvent(f"refund.{refund.status}", refund.reference, refund.id, bodies.webhook_body(refund))
        self._dispatcher.dispatch(connection, event, delivery)


def refund_dispute(
    connection: sqlite3.Connection, transaction: Transaction, amount: int, dispute_id: int
) -> Transaction:
    """Refund `amount` for an accepted dispute at once, or less if less is left to refund. Return the changed transaction.

    Paystack sends no refund webhook for such a refund.
    """
    amount = min(amount, transaction.amount - queries.sum_refunded(connection, transaction.id))
    if amount <= 0:
        return transaction
    draft = _draft(transaction, amount)
    processed = replace(draft, status=RefundStatus.PROCESSED, dispute=dispute_id, refunded_at=draft.created_at)
    queries.add(connection, processed)
    status = queries.transaction_status(connection, transaction.id)
    transaction_queries.set_status(connection, transaction.id, status)
    return replace(transaction, status=status)


def _find_transaction(connection: sqlite3.Connection, reference_or_id: str) -> Transaction:
    transaction = transaction_queries.find(connection, reference_or_id)
    if transaction is None and reference_or_id.isascii() and reference_or_id.isdigit():
        transaction = transaction_queries.find_by_id(connection, min(int(reference_or_id), 2**63 - 1))
    if transaction is None:
        raise TransactionNotFound
    return transaction


def _draft(transaction: Transaction, amount: int) -> Refund:
    """Return a pending refund that has no id yet and takes no timed step."""
    at = now()
    note = f"Refund for transaction {transaction.reference}"
    return Refund(
        id=0,
        transaction_id=transaction.id,
        reference=transaction.reference,
        email=transaction.email,
        domain=transaction.domain,
        amount=amount,
        currency=transaction.currency,
        status=RefundStatus.PENDING,
        final_status=CARDS_BY_NUMBER[transaction.card].refund_status,
        customer_note=note,
        merchant_note=f"{note} by {MERCHANT_EMAIL}",
        dispute=None,
        settlement=None,
        created_at=at,
        updated_at=at,
        refunded_at=None,
        next_step_at=None,
    )
