"""A payer's attempt: the transaction moves, and a success raises its webhook in the same commit."""

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from sandbox import authorizations, ledger
from sandbox.bodies import notice
from sandbox.cards import CARDS, Card
from sandbox.errors import AlreadyPaid, UnknownReference
from sandbox.fees import fees
from sandbox.integration import Integration
from sandbox.ledger import Transaction
from sandbox.postbox import ONCE, Event, Order, Postbox
from sandbox.store import now
from sandbox.timeline import noted

Outcome = Literal["success", "failed", "abandoned"]


@dataclass(frozen=True, slots=True)
class Charge:
    """What happens, and what is reported of it where that differs from what was asked."""

    outcome: Outcome
    card: Card = CARDS["success"]
    ip_address: str | None = None
    overrides: dict[str, Any] | None = None
    """amount, currency, fees or domain as reported at verify and in the webhook: bad weather."""
    order: Order = ONCE
    words: str = "Successful"
    """The bank's, when it says yes."""


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
    if attempt.outcome == "abandoned":
        return ledger.write(
            connection, transaction, status="abandoned", message=None, gateway_response=ledger.NOT_COMPLETED
        )
    if attempt.outcome == "failed":
        return _refuse(connection, transaction, attempt)
    paid = _pay(connection, transaction, attempt)
    authorizations.save(connection, paid.email, paid.card)
    postbox.put(connection, Event("charge.success", paid.reference, paid.id, notice(paid)), attempt.order)
    return paid


def _pay(connection: sqlite3.Connection, transaction: Transaction, attempt: Charge) -> Transaction:
    reported = attempt.overrides or {}
    amount = reported.get("amount", transaction.amount)
    currency = reported.get("currency", transaction.currency)
    at = now()
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
        gateway_response=attempt.words,
        paid_at=at,
        card=attempt.card.number,
        log=noted(
            transaction, at, ("action", "Attempted to pay with card"), ("success", "Successfully paid with card")
        ),
    )


def _refuse(connection: sqlite3.Connection, transaction: Transaction, attempt: Charge) -> Transaction:
    words = attempt.card.refusal or CARDS["declined"].refusal or ""
    return ledger.write(
        connection,
        transaction,
        status="failed",
        ip_address=attempt.ip_address,
        message=words,
        gateway_response=words,
        log=noted(transaction, now(), ("action", "Attempted to pay with card"), ("error", f"Error: {words}")),
    )
