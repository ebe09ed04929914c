"""A payer's attempt: the transaction moves, and a success raises its webhook in the same commit."""

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from sandbox import ledger, webhooks
from sandbox.bodies import notice
from sandbox.cards import CARDS
from sandbox.errors import AlreadyPaid, UnknownReference
from sandbox.fees import fees
from sandbox.integration import Integration
from sandbox.ledger import Transaction
from sandbox.store import now

Outcome = Literal["success", "failed", "abandoned"]


@dataclass(frozen=True, slots=True)
class Charge:
    """What happens, and what is reported of it where that differs from what was asked."""

    outcome: Outcome
    refusal: str = CARDS["declined"].refusal or ""
    """The bank's words, when the outcome is failed."""
    ip_address: str | None = None
    overrides: dict[str, Any] | None = None
    """amount, currency, fees or domain as reported at verify and in the webhook: bad weather."""
    deliveries: int = 1
    delay_ms: int = 0


async def charge(integration: Integration, reference: str, attempt: Charge) -> Transaction:
    """Errors: UnknownReference, AlreadyPaid. A failed or abandoned transaction can still be paid."""
    settings = integration.settings

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
        if settings.webhook_url is not None and attempt.deliveries:
            body = notice(paid)
            signed = webhooks.signature(settings.key, body)
            webhooks.enqueue(
                connection, "charge.success", reference, body, signed, attempt.deliveries, attempt.delay_ms
            )
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
    )


def _refuse(connection: sqlite3.Connection, transaction: Transaction, attempt: Charge) -> Transaction:
    return ledger.write(
        connection,
        transaction,
        status="failed",
        ip_address=attempt.ip_address,
        message=attempt.refusal,
        gateway_response=attempt.refusal,
    )


def _abandon(connection: sqlite3.Connection, transaction: Transaction) -> Transaction:
    return ledger.write(
        connection, transaction, status="abandoned", message=None, gateway_response=ledger.NOT_COMPLETED
    )
