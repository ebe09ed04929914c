"""A payer's attempt: the transaction moves, and a success raises its webhook in the same commit."""

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from sandbox import ledger
from sandbox.bodies import notice
from sandbox.cards import CARDS, CardName
from sandbox.errors import AlreadyPaid, UnknownReference
from sandbox.fees import fees
from sandbox.integration import Integration
from sandbox.ledger import Transaction
from sandbox.postbox import ONCE, Event, Order
from sandbox.store import now

Outcome = Literal["success", "failed", "abandoned"]


@dataclass(frozen=True, slots=True)
class Charge:
    """What happens, and what is reported of it where that differs from what was asked."""

    outcome: Outcome
    card: CardName = "success"
    ip_address: str | None = None
    overrides: dict[str, Any] | None = None
    """amount, currency, fees or domain as reported at verify and in the webhook: bad weather."""
    order: Order = ONCE


async def charge(integration: Integration, reference: str, attempt: Charge) -> Transaction:
    """Errors: UnknownReference, AlreadyPaid. A failed or abandoned transaction can still be paid."""

    def job(connection: sqlite3.Connection) -> Transaction:
        transaction = ledger.find(connection, reference)
        if transaction is None:
            raise UnknownReference
        if transaction.paid:
            raise AlreadyPaid
        if attempt.outcome == "abandoned":
            return _abandon(connection, transaction)
        if attempt.outcome == "failed":
            return _refuse(connection, transaction, attempt)
        paid = _pay(connection, transaction, attempt)
        event = Event("charge.success", reference, paid.id, notice(paid))
        integration.postbox.put(connection, event, attempt.order)
        return paid

    charged = await integration.store.run(job)
    if charged.paid:
        integration.courier.wake()
    return charged


def _pay(connection: sqlite3.Connection, transaction: Transaction, attempt: Charge) -> Transaction:
    reported = attempt.overrides or {}
    amount = reported.get("amount", transaction.amount)
    currency = reported.get("currency", transaction.currency)
    return ledger.write(
        connection,
        transaction,
        status="success",
        domain=reported.get("domain", transaction.domain),
        amount=amount,
        currency=currency,
        fees=reported["fees"] if "fees" in reported else fees(amount, currency),
        ip_address=attempt.ip_address,
        message=None,
        gateway_response="Successful",
        paid_at=now(),
        card=CARDS[attempt.card].number,
    )


def _refuse(connection: sqlite3.Connection, transaction: Transaction, attempt: Charge) -> Transaction:
    words = CARDS[attempt.card].refusal or CARDS["declined"].refusal or ""
    return ledger.write(
        connection,
        transaction,
        status="failed",
        ip_address=attempt.ip_address,
        message=words,
        gateway_response=words,
    )


def _abandon(connection: sqlite3.Connection, transaction: Transaction) -> Transaction:
    return ledger.write(
        connection, transaction, status="abandoned", message=None, gateway_response=ledger.NOT_COMPLETED
    )
