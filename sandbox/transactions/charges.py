"""Attempts to pay. A successful attempt queues its webhook in the same commit."""

import sqlite3
from dataclasses import dataclass, replace
from typing import TypedDict

from sandbox.controls import DEFAULT_DELIVERY, DeliveryOptions
from sandbox.enums import CardName, Channel, ChargeOutcome, Domain, TimelineKind, TransactionStatus, WebhookShape
from sandbox.errors import AlreadyPaid
from sandbox.timestamps import now
from sandbox.transactions import authorizations, queries
from sandbox.transactions.cards import CARDS, Card
from sandbox.transactions.channels import RESPONSES
from sandbox.transactions.fees import calculate_fees
from sandbox.transactions.models import Transaction
from sandbox.transactions.timeline import append_entries
from sandbox.transactions.webhook_bodies import charge_success_body
from sandbox.webhooks.dispatcher import WebhookDispatcher, WebhookEvent

IN_PROGRESS = "Transaction in progress"
UNFINISHED: dict[ChargeOutcome, str] = {
    ChargeOutcome.ABANDONED: queries.NOT_COMPLETED,
    ChargeOutcome.ONGOING: IN_PROGRESS,
    ChargeOutcome.PENDING: IN_PROGRESS,
    ChargeOutcome.PROCESSING: IN_PROGRESS,
    ChargeOutcome.QUEUED: IN_PROGRESS,
}
"""Outcomes after which the transaction can still be paid, with their gateway responses.

ongoing: the payer has to act. pending: the payer has acted and the bank has not answered. processing, queued: the bank or a bulk charge
has not finished.
"""


class ReportedValues(TypedDict, total=False):
    """Values that verify and the webhook report in place of the requested ones. `fees: None`: the fees are not known."""

    amount: int
    currency: str
    fees: int | None
    domain: Domain


@dataclass(frozen=True, slots=True)
class PaymentAttempt:
    """One attempt to pay a transaction."""

    outcome: ChargeOutcome
    card: Card = CARDS[CardName.SUCCESS]
    ip_address: str | None = None
    reported: ReportedValues | None = None
    delivery: DeliveryOptions = DEFAULT_DELIVERY
    channel: Channel = Channel.CARD
    shape: WebhookShape | None = None
    """Shape of the webhook; None: the usual shape for the channel."""
    gateway_response: str | None = None
    """Response of the bank. None: a success uses the response of the channel, a decline that of the card."""


def apply_attempt(
    connection: sqlite3.Connection, dispatcher: WebhookDispatcher, transaction: Transaction, attempt: PaymentAttempt
) -> Transaction:
    """Apply an attempt in the store's thread. Raises AlreadyPaid."""
    if transaction.paid:
        raise AlreadyPaid
    if attempt.outcome == ChargeOutcome.FAILED:
        return _decline(connection, transaction, attempt)
    if gateway_response := UNFINISHED.get(attempt.outcome):
        status = TransactionStatus(attempt.outcome)
        left = attempt.outcome == ChargeOutcome.ABANDONED
        channel = transaction.channel if left else attempt.channel
        unfinished = replace(
            transaction, status=status, message=None, gateway_response=gateway_response, channel=channel
        )
        return queries.save_attempt(connection, unfinished)
    paid = _pay(connection, transaction, attempt)
    authorizations.save(connection, paid)
    event = WebhookEvent("charge.success", paid.reference, paid.id, charge_success_body(paid, attempt.shape))
    dispatcher.dispatch(connection, event, attempt.delivery)
    return paid


def _pay(connection: sqlite3.Connection, transaction: Transaction, attempt: PaymentAttempt) -> Transaction:
    reported = attempt.reported or {}
    amount = reported.get("amount", transaction.amount)
    currency = reported.get("currency", transaction.currency)
    at, response = now(), RESPONSES[attempt.channel]
    usual_fees = calculate_fees(amount, currency) if response.fees_known else None
    timeline = append_entries(
        transaction,
        at,
        (TimelineKind.ACTION, f"Attempted to pay with {attempt.channel}"),
        (TimelineKind.SUCCESS, f"Successfully paid with {attempt.channel}"),
    )
    paid = replace(
        transaction,
        status=TransactionStatus.SUCCESS,
        domain=reported.get("domain", transaction.domain),
        amount=amount,
        currency=currency,
        fees=reported.get("fees", usual_fees),
        ip_address=attempt.ip_address,
        message=response.message,
        gateway_response=attempt.gateway_response or response.gateway_response,
        paid_at=at,
        channel=attempt.channel,
        card=attempt.card.number,
        timeline=timeline,
    )
    return queries.save_attempt(connection, paid)


def _decline(connection: sqlite3.Connection, transaction: Transaction, attempt: PaymentAttempt) -> Transaction:
    message = attempt.gateway_response or attempt.card.decline_message or CARDS[CardName.DECLINED].decline_message or ""
    timeline = append_entries(
        transaction,
        now(),
        (TimelineKind.ACTION, f"Attempted to pay with {attempt.channel}"),
        (TimelineKind.ERROR, f"Error: {message}"),
    )
    declined = replace(
        transaction,
        status=TransactionStatus.FAILED,
        channel=attempt.channel,
        ip_address=attempt.ip_address,
        message=message,
        gateway_response=message,
        timeline=timeline,
    )
    return queries.save_attempt(connection, declined)
