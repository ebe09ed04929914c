"""Steps of a dispute: open, update, add evidence, respond, remind, resolve. Opening, reminding and resolving queue a webhook."""

import json
import sqlite3
from dataclasses import dataclass, replace

from sandbox.controls import DEFAULT_DELIVERY, DeliveryOptions
from sandbox.disputes import bodies, queries
from sandbox.disputes.errors import (
    AlreadyDisputed,
    DisputeAlreadyResolved,
    DisputeNotAwaitingMerchant,
    DisputeNotFound,
    NotDisputable,
    RefundAboveAmount,
)
from sandbox.disputes.models import Dispute
from sandbox.enums import DisputeCategory, DisputeEvent, DisputeResolution, DisputeStatus
from sandbox.errors import ControlReferenceNotFound
from sandbox.refunds.lifecycle import refund_dispute
from sandbox.refunds.queries import sum_refunded
from sandbox.timestamps import iso_timestamp, now
from sandbox.transactions import queries as transaction_queries
from sandbox.transactions.models import Transaction
from sandbox.webhooks.dispatcher import WebhookDispatcher, WebhookEvent

REMINDER_HOURS = 4
"""Hours between two reminders."""
BANK_HOURS = 4
"""Hours from the merchant's decline to the bank's decision, which is always for the merchant. Paystack's real duration is not known."""
BATCH = 200
"""Maximum number of disputes whose due step is carried out in one commit."""


@dataclass(frozen=True, slots=True)
class DisputeRequest:
    """Parsed body of POST /sandbox/disputes."""

    reference: str
    amount: int | None
    """Subunits. None: the amount that is not refunded."""
    category: DisputeCategory
    message: str
    hours: float
    """Hours until the dispute is accepted automatically."""


@dataclass(frozen=True, slots=True)
class MerchantResponse:
    """Parsed body of /dispute/{id}/resolve."""

    resolution: DisputeResolution
    message: str
    refund_amount: int
    filename: str


class DisputeLifecycle:
    """Carries out the steps of disputes. `hour_seconds`: how many seconds an hour of Paystack takes in the sandbox."""

    def __init__(self, dispatcher: WebhookDispatcher, hour_seconds: float) -> None:
        self._dispatcher = dispatcher
        self._hour_seconds = hour_seconds

    def open(
        self,
        connection: sqlite3.Connection,
        request: DisputeRequest,
        delivery: DeliveryOptions = DEFAULT_DELIVERY,
    ) -> tuple[Dispute, Transaction]:
        """Open a dispute of a paid transaction. Raises ControlReferenceNotFound, NotDisputable, AlreadyDisputed."""
        transaction, amount = self._find_disputable(connection, request)
        at = now()
        due_at = self._hours_after(at, request.hours)
        dispute = queries.add(
            connection,
            Dispute(
                id=0,
                transaction_id=transaction.id,
                domain=transaction.domain,
                status=DisputeStatus.AWAITING_MERCHANT_FEEDBACK,
                resolution=None,
                refund_amount=amount,
                currency=transaction.currency,
                category=request.category,
                payer_message=request.message,
                merchant_message=None,
                attachments=None,
                evidence=None,
                created_at=at,
                updated_at=at,
                due_at=due_at,
                resolved_at=None,
                next_step_at=min(self._hours_after(at, REMINDER_HOURS), due_at),
            ),
        )
        self._queue_webhook(connection, DisputeEvent.CREATE, dispute, transaction, delivery)
        return dispute, transaction

    def update(
        self, connection: sqlite3.Connection, dispute_id: int, refund_amount: int, filename: str | None
    ) -> tuple[Dispute, Transaction]:
        """Change the refund amount or the file. Raises DisputeNotFound, DisputeNotAwaitingMerchant, RefundAboveAmount."""
        dispute, transaction = self._find_awaiting_merchant(connection, dispute_id, refund_amount)
        changed = replace(
            dispute,
            refund_amount=refund_amount,
            attachments=filename or dispute.attachments,
            updated_at=now(),
        )
        return queries.save(connection, changed), transaction

    def add_evidence(self, connection: sqlite3.Connection, dispute_id: int, evidence: dict[str, str | None]) -> Dispute:
        """Store evidence in place of earlier evidence. Raises DisputeNotFound, DisputeNotAwaitingMerchant."""
        dispute, _ = self._find_awaiting_merchant(connection, dispute_id, 0)
        at = now()
        timestamps = {"createdAt": iso_timestamp(at), "updatedAt": iso_timestamp(at)}
        stored = json.dumps({**evidence, "id": dispute.id, **timestamps})
        return queries.save(connection, replace(dispute, evidence=stored, updated_at=at))

    def respond(
        self, connection: sqlite3.Connection, dispute_id: int, response: MerchantResponse
    ) -> tuple[Dispute, Transaction]:
        """Resolve the dispute if the merchant accepts it. If the merchant declines it, leave the decision to the bank.

        Raises DisputeNotFound, DisputeNotAwaitingMerchant, RefundAboveAmount.
        """
        dispute, transaction = self._find_awaiting_merchant(connection, dispute_id, response.refund_amount)
        at = now()
        responded = replace(
            dispute,
            merchant_message=response.message,
            refund_amount=response.refund_amount,
            attachments=response.filename,
            updated_at=at,
        )
        if response.resolution == DisputeResolution.MERCHANT_ACCEPTED:
            return self._resolve(connection, responded, transaction, response.resolution)
        declined = replace(
            responded,
            status=DisputeStatus.AWAITING_BANK_FEEDBACK,
            resolution=response.resolution,
            next_step_at=self._hours_after(at, BANK_HOURS),
        )
        return queries.save(connection, declined), transaction

    def resolve(
        self,
        connection: sqlite3.Connection,
        dispute_id: int,
        resolution: DisputeResolution,
        delivery: DeliveryOptions,
    ) -> tuple[Dispute, Transaction]:
        """Resolve a dispute at the request of a control call. Raises DisputeNotFound, DisputeAlreadyResolved."""
        return self._resolve(connection, *self._find_open(connection, dispute_id), resolution, delivery)

    def remind(
        self, connection: sqlite3.Connection, dispute_id: int, delivery: DeliveryOptions = DEFAULT_DELIVERY
    ) -> tuple[Dispute, Transaction]:
        """Send a reminder. The next scheduled step of the dispute does not move. Raises DisputeNotFound, DisputeAlreadyResolved."""
        dispute, transaction = self._find_open(connection, dispute_id)
        return self._remind(connection, dispute, transaction, dispute.next_step_at, delivery)

    def advance(self, connection: sqlite3.Connection, at: int) -> int | None:
        """Send the reminders and resolve the disputes that are due (job of the scheduler)."""
        for dispute in queries.list_due(connection, at, BATCH):
            transaction = transaction_queries.find_by_id(connection, dispute.transaction_id)
            if transaction is None:
                queries.save(connection, replace(dispute, next_step_at=None))
            elif dispute.status == DisputeStatus.AWAITING_BANK_FEEDBACK:
                self._resolve(connection, dispute, transaction, DisputeResolution.DECLINED)
            elif at >= dispute.due_at:
                self._resolve(connection, dispute, transaction, DisputeResolution.AUTO_ACCEPTED)
            else:
                next_reminder_at = self._hours_after(now(), REMINDER_HOURS)
                self._remind(connection, dispute, transaction, min(next_reminder_at, dispute.due_at))
        return queries.next_due_at(connection)

    def _remind(
        self,
        connection: sqlite3.Connection,
        dispute: Dispute,
        transaction: Transaction,
        next_step_at: int | None,
        delivery: DeliveryOptions = DEFAULT_DELIVERY,
    ) -> tuple[Dispute, Transaction]:
        reminded = replace(dispute, updated_at=max(now(), dispute.updated_at + 1), next_step_at=next_step_at)
        queries.save(connection, reminded)
        self._queue_webhook(connection, DisputeEvent.REMIND, reminded, transaction, delivery)
        return reminded, transaction

    def _hours_after(self, at: int, hours: float) -> int:
        return at + int(hours * self._hour_seconds * 1000)

    def _find_disputable(self, connection: sqlite3.Connection, request: DisputeRequest) -> tuple[Transaction, int]:
        """Return the transaction that is to be disputed, and the disputed amount."""
        transaction = transaction_queries.find(connection, request.reference)
        if transaction is None:
            raise ControlReferenceNotFound
        refundable = transaction.amount - sum_refunded(connection, transaction.id)
        amount = refundable if request.amount is None else request.amount
        if not transaction.paid or not 0 < amount <= refundable:
            raise NotDisputable
        latest = queries.find_latest(connection, transaction.id)
        if latest is not None and latest.status != DisputeStatus.RESOLVED:
            raise AlreadyDisputed
        return transaction, amount

    def _find_awaiting_merchant(
        self, connection: sqlite3.Connection, dispute_id: int, refund_amount: int
    ) -> tuple[Dispute, Transaction]:
        dispute, transaction = find_with_transaction(connection, dispute_id)
        if dispute.status != DisputeStatus.AWAITING_MERCHANT_FEEDBACK:
            raise DisputeNotAwaitingMerchant
        if refund_amount > transaction.amount:
            raise RefundAboveAmount
        return dispute, transaction

    def _find_open(self, connection: sqlite3.Connection, dispute_id: int) -> tuple[Dispute, Transaction]:
        dispute, transaction = find_with_transaction(connection, dispute_id)
        if dispute.status == DisputeStatus.RESOLVED:
            raise DisputeAlreadyResolved
        return dispute, transaction

    def _resolve(
        self,
        connection: sqlite3.Connection,
        dispute: Dispute,
        transaction: Transaction,
        resolution: DisputeResolution,
        delivery: DeliveryOptions = DEFAULT_DELIVERY,
    ) -> tuple[Dispute, Transaction]:
        at = now()
        resolved = replace(
            dispute,
            status=DisputeStatus.RESOLVED,
            resolution=resolution,
            resolved_at=at,
            updated_at=max(at, dispute.updated_at + 1),
            next_step_at=None,
        )
        queries.save(connection, resolved)
        if resolution != DisputeResolution.DECLINED:
            transaction = refund_dispute(connection, transaction, dispute.refund_amount, dispute.id)
        self._queue_webhook(connection, DisputeEvent.RESOLVE, resolved, transaction, delivery)
        return resolved, transaction

    def _queue_webhook(
        self,
        connection: sqlite3.Connection,
        event: DisputeEvent,
        dispute: Dispute,
        transaction: Transaction,
        delivery: DeliveryOptions,
    ) -> None:
        body = bodies.webhook_body(event, dispute, transaction)
        webhook = WebhookEvent(f"charge.dispute.{event}", transaction.reference, dispute.id, body)
        self._dispatcher.dispatch(connection, webhook, delivery)


def find_with_transaction(connection: sqlite3.Connection, dispute_id: int) -> tuple[Dispute, Transaction]:
    """Find a dispute and its transaction. Raises DisputeNotFound, also when the transaction was deleted."""
    dispute = queries.find(connection, dispute_id)
    transaction = transaction_queries.find_by_id(connection, dispute.transaction_id) if dispute else None
    if dispute is None or transaction is None:
        raise DisputeNotFound
    return dispute, transaction
