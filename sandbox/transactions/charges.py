"""A payer's attempt: the transaction moves, and a success raises its webhook in the same commit."""

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.errors import AlreadyPaid, UnknownReference
from sandbox.integration import Integration
from sandbox.orders import ONCE, Order
from sandbox.store import now
from sandbox.transactions import authorizations, ledger
from sandbox.transactions.cards import CARDS, Card
from sandbox.transactions.channels import WORDS, Channel
from sandbox.transactions.fees import fees
from sandbox.transactions.ledger import Transaction
from sandbox.transactions.notices import Shape, notice
from sandbox.transactions.timeline import noted
from sandbox.webhooks.postbox import Event, Postbox

Outcome = Literal["success", "failed", "abandoned", "ongoing", "pending", "processing", "queued"]
UNFINISHED: dict[Outcome, str] = {
    "abandoned": ledger.NOT_COMPLETED,
    "ongoing": "Transaction in progress",
    "pending": "Transaction in progress",
    "processing": "Transaction in progress",
    "queued": "Transaction in progress",
}
"""Not paid, and it still can be. The payer is busy with a code or a transfer; the bank, or a bulk charge, is slow."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What happens, and what is reported of it where that differs from what was asked."""

    outcome: Outcome
    card: Card = CARDS["success"]
    ip_address: str | None = None
    overrides: dict[str, Any] | None = None
    """amount, currency, fees or domain as reported at verify and in the webhook: bad weather."""
    order: Order = ONCE
    channel: Channel = "card"
    shape: Shape | None = None
    """Of the webhook."""
    words: str | None = None
    """The bank's; None: those of the channel when it says yes, and of the card when it says no."""


async def charge(integration: Integration, reference: str, attempt: Charge) -> Transaction:
    """Errors: UnknownReference, AlreadyPaid. A failed or abandoned transaction can still be paid."""

    def job(connection: sqlite3.Connection) -> Transaction:
        transaction = ledger.find(connection, reference)
        if transaction is None:
            raise UnknownReference
        return carry_out(connection, integration.postbox, transaction, attempt)

    charged = await integration.store.run(job)
    if charged.paid:
        integration.courier.wake()
    return charged


def carry_out(
    connection: sqlite3.Connection, postbox: Postbox, transaction: Transaction, attempt: Charge
) -> Transaction:
    """Errors: AlreadyPaid."""
    if transaction.paid:
        raise AlreadyPaid
    if attempt.outcome == "failed":
        return _refuse(connection, transaction, attempt)
    if said := UNFINISHED.get(attempt.outcome):
        return ledger.write(connection, transaction, status=attempt.outcome, message=None, gateway_response=said)
    paid = _pay(connection, transaction, attempt)
    authorizations.save(connection, paid)
    event = Event("charge.success", paid.reference, paid.id, notice(paid, attempt.shape))
    postbox.put(connection, event, attempt.order)
    return paid


def _pay(connection: sqlite3.Connection, transaction: Transaction, attempt: Charge) -> Transaction:
    reported = attempt.overrides or {}
    amount = reported.get("amount", transaction.amount)
    currency = reported.get("currency", transaction.currency)
    at, words = now(), WORDS[attempt.channel]
    usual = fees(amount, currency) if words.fees_known else None
    return ledger.write(
        connection,
        transaction,
        status="success",
        domain=reported.get("domain", transaction.domain),
        amount=amount,
        currency=currency,
        fees=reported.get("fees", usual),
        ip_address=attempt.ip_address,
        message=words.message,
        gateway_response=attempt.words or words.gateway_response,
        paid_at=at,
        channel=attempt.channel,
        card=attempt.card.number,
        log=noted(
            transaction,
            at,
            ("action", f"Attempted to pay with {attempt.channel}"),
            ("success", f"Successfully paid with {attempt.channel}"),
        ),
    )


def _refuse(connection: sqlite3.Connection, transaction: Transaction, attempt: Charge) -> Transaction:
    words = attempt.words or attempt.card.refusal or CARDS["declined"].refusal or ""
    return ledger.write(
        connection,
        transaction,
        status="failed",
        channel=attempt.channel,
        ip_address=attempt.ip_address,
        message=words,
        gateway_response=words,
        log=noted(
            transaction, now(), ("action", f"Attempted to pay with {attempt.channel}"), ("error", f"Error: {words}")
        ),
    )
