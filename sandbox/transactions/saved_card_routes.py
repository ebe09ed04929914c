"""Paystack's calls for saved cards: charge_authorization and deactivate."""

import sqlite3

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.api.fields import parse_fields, required_string
from sandbox.api.openapi import body_of
from sandbox.enums import ChargeOutcome, SavedCardOutcome
from sandbox.paystack_route import PaystackRoute
from sandbox.responses import ApiResponse, success
from sandbox.state import CurrentState
from sandbox.transactions import authorizations, bodies, queries
from sandbox.transactions.cards import CARDS_BY_NUMBER
from sandbox.transactions.charges import PaymentAttempt, apply_attempt
from sandbox.transactions.models import Transaction
from sandbox.transactions.parsing import parse_initialize
from sandbox.transactions.saved_card_errors import CardNotFound

router = APIRouter(tags=["Paystack's API"], route_class=PaystackRoute)


CHARGE = {
    "type": "object",
    "required": ["email", "amount", "authorization_code"],
    "properties": {
        "email": {"type": "string", "description": "Email of the payment that saved the card."},
        "amount": {"type": "integer", "description": "Subunits."},
        "authorization_code": {"type": "string"},
        "reference": {"type": "string"},
        "currency": {"type": "string"},
        "metadata": {"anyOf": [{"type": "object"}, {"type": "string"}]},
    },
}
DEACTIVATE = {
    "type": "object",
    "required": ["authorization_code"],
    "properties": {"authorization_code": {"type": "string"}},
}


@router.post(
    "/transaction/charge_authorization",
    name="charge_authorization",
    summary="Charge a saved card",
    openapi_extra=body_of(CHARGE),
)
async def charge_authorization(request: Request, state: CurrentState) -> Response:
    """Charge a saved card without the payer. The result is in `data.status`. If the response is 400, no transaction was created."""
    fields = parse_fields(request.headers.get("content-type", ""), await request.body())
    new, code = parse_initialize(fields), required_string(fields, "authorization_code", 100)
    faults = state.fault_injector.faults
    outcome = faults.saved_cards

    def job(connection: sqlite3.Connection) -> Transaction:
        authorization = authorizations.find_usable(connection, code, new.email)
        added = queries.add(connection, new, state.settings.domain, "charge")
        if outcome == SavedCardOutcome.PAUSED:
            return added
        covered = faults.saved_card_balance is None or new.amount <= faults.saved_card_balance
        charged = outcome == SavedCardOutcome.CHARGED and covered
        attempt = PaymentAttempt(
            ChargeOutcome.SUCCESS if charged else ChargeOutcome.FAILED,
            CARDS_BY_NUMBER[authorization.card],
            channel=authorization.channel,
            gateway_response="Approved" if charged else None if covered else "Insufficient funds",
        )
        return apply_attempt(connection, state.dispatcher, added, attempt)

    transaction = await state.store.run(job)
    state.notify()
    if outcome == SavedCardOutcome.PAUSED:
        data = {
            "paused": True,
            "reference": transaction.reference,
            "authorization_url": f"{state.settings.origin}/checkout/{transaction.access_code}",
            "access_code": transaction.access_code,
        }
        return success("Please, redirect your customer to the authorization url provided", data)
    return success("Charge attempted", bodies.charge_attempt_body(transaction))


# The first path is the one that Paystack's Node SDK uses.
@router.post("/customer/deactivate_authorization", name="deactivate", include_in_schema=False)
@router.post(
    "/customer/authorization/deactivate",
    name="deactivate",
    summary="Deactivate a saved card",
    openapi_extra=body_of(DEACTIVATE),
)
async def deactivate_authorization(request: Request, state: CurrentState) -> Response:
    """Deactivate a saved card: it can no longer be charged."""
    fields = parse_fields(request.headers.get("content-type", ""), await request.body())
    code = required_string(fields, "authorization_code", 100)
    if not await state.store.run(lambda connection: authorizations.deactivate(connection, code)):
        raise CardNotFound
    return ApiResponse({"status": True, "message": "Authorization has been deactivated"})
