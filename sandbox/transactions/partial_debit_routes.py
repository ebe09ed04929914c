"""Paystack's call partial_debit: charge a saved card with what its account has, if that is less than the amount."""

import sqlite3
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.api.fields import parse_fields, required_string
from sandbox.api.openapi import body_of
from sandbox.enums import ChargeOutcome, SavedCardOutcome
from sandbox.paystack_route import PaystackRoute
from sandbox.responses import success
from sandbox.state import CurrentState
from sandbox.transactions import authorizations, bodies, queries
from sandbox.transactions.cards import CARDS_BY_NUMBER
from sandbox.transactions.charges import PaymentAttempt, apply_attempt
from sandbox.transactions.models import Transaction
from sandbox.transactions.parsing import parse_amount, parse_initialize
from sandbox.transactions.saved_card_errors import PartialDebitNotSupported

router = APIRouter(tags=["Paystack's API"], route_class=PaystackRoute)

CURRENCY = "NGN"
"""Paystack's test API refused GHS. Whether it accepts other currencies is not known."""
PARTIAL_DEBIT = {
    "type": "object",
    "required": ["email", "amount", "authorization_code", "currency"],
    "properties": {
        "email": {"type": "string", "description": "Email of the payment that saved the card."},
        "amount": {"type": "integer", "description": "Subunits."},
        "authorization_code": {"type": "string"},
        "currency": {"type": "string", "description": "NGN."},
        "at_least": {"type": "string", "description": "Subunits. With less on the account, nothing is charged."},
        "reference": {"type": "string"},
    },
}


@router.post(
    "/transaction/partial_debit",
    name="partial_debit",
    summary="Charge a saved card partially",
    openapi_extra=body_of(PARTIAL_DEBIT),
)
async def partial_debit(request: Request, state: CurrentState) -> Response:
    """Charge a saved card with the amount, or with what its account has. The fault `saved_card_balance` sets how much that is."""
    fields = parse_fields(request.headers.get("content-type", ""), await request.body())
    new, code = parse_initialize(fields), required_string(fields, "authorization_code", 100)
    if required_string(fields, "currency", 3) != CURRENCY:
        raise PartialDebitNotSupported
    at_least = _parse_at_least(fields)
    faults = state.fault_injector.faults

    def job(connection: sqlite3.Connection) -> Transaction:
        authorization = authorizations.find_usable(connection, code, new.email)
        added = queries.add(connection, new, state.settings.domain, "charge")
        balance = faults.saved_card_balance
        available = added.amount if balance is None else min(balance, added.amount)
        paid = faults.saved_cards == SavedCardOutcome.CHARGED and available >= max(at_least, 1)
        attempt = PaymentAttempt(
            ChargeOutcome.SUCCESS if paid else ChargeOutcome.FAILED,
            CARDS_BY_NUMBER[authorization.card],
            channel=authorization.channel,
            reported={"amount": available} if paid else None,
            gateway_response="Approved" if paid else "Insufficient funds",
        )
        return apply_attempt(connection, state.dispatcher, added, attempt)

    transaction = await state.store.run(job)
    state.notify()
    data = bodies.charge_attempt_body(transaction) | {"plan": 0, "requested_amount": transaction.requested_amount}
    return success("Charge attempted", data)


def _parse_at_least(fields: dict[str, Any]) -> int:
    """Return the smallest amount that may be charged, in subunits. Raises the errors of `parse_amount`."""
    value = fields.get("at_least")
    return 0 if value is None or value == "" else parse_amount(value)
