"""Bodies of a pending charge: those of /charge, that of the control routes, and the webhook bank.transfer.rejected."""

from typing import Any

from sandbox.enums import Channel, PendingChargeStatus
from sandbox.merchant import INTEGRATION_ID
from sandbox.pending_charges import offers
from sandbox.pending_charges.models import PendingCharge
from sandbox.responses import compact_json
from sandbox.timestamps import iso_timestamp
from sandbox.transactions import bodies as transaction_bodies
from sandbox.transactions.cards import customer
from sandbox.transactions.models import Transaction

WAITING = (PendingChargeStatus.SEND_OTP, PendingChargeStatus.PAY_OFFLINE, PendingChargeStatus.PENDING)


def charge_body(transaction: Transaction, charge: PendingCharge | None) -> dict[str, Any]:
    """Return `data` of the calls of /charge: all fields of a paid transaction, else the status and what the payer has to do."""
    if transaction.paid:
        return transaction_bodies.verified_body(transaction)
    if charge is None:
        return {"reference": transaction.reference, "status": transaction.status}
    body: dict[str, Any] = {"reference": transaction.reference, "status": charge.status}
    if charge.status == PendingChargeStatus.FAILED:
        return body | {"message": charge.problem}
    if charge.status in WAITING and charge.arriving_amount is None:
        return body | {"display_text": offers.display_text(transaction, charge)}
    return body


def control_body(transaction: Transaction, charge: PendingCharge) -> dict[str, Any]:
    """Return what the control routes and the checkout page show of a charge."""
    transfer = charge.channel == Channel.BANK_TRANSFER
    return {
        "reference": transaction.reference,
        "transaction_status": transaction.status,
        "status": charge.status,
        "channel": charge.channel,
        "provider": charge.provider,
        "display_text": offers.display_text(transaction, charge),
        "bank": offers.BANK if transfer else None,
        "account_number": offers.account_number(transaction) if transfer else None,
        "amount": transaction.requested_amount,
        "currency": transaction.currency,
        "expires_at": iso_timestamp(charge.expires_at),
        "arrives_at": iso_timestamp(charge.next_step_at) if charge.arriving_amount is not None else None,
        "problem": charge.problem,
    }


def transfer_rejected_body(transaction: Transaction, amount: int, message: str) -> bytes:
    """Return the webhook body of bank.transfer.rejected. `amount`: the subunits that the payer sent."""
    created_at = iso_timestamp(transaction.created_at)
    payer = customer(transaction.email)
    del payer["international_format_phone"]
    data = {
        "bank_transfer": {
            "amount": str(amount),
            "message": message,
            "message_type": "INCORRECT_AMOUNT",
            "transaction_id": str(transaction.id),
        },
        "customer": payer
        | {
            "domain": transaction.domain,
            "integration": INTEGRATION_ID,
            "createdAt": created_at,
            "updatedAt": created_at,
        },
    }
    return compact_json({"event": "bank.transfer.rejected", "data": data})
