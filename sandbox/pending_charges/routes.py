"""Paystack's calls for charges without the checkout page: create, submit_otp and check."""

import sqlite3

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.api.fields import parse_fields, required_string
from sandbox.api.openapi import body_of
from sandbox.errors import AlreadyPaid, InvalidParams
from sandbox.paystack_route import PaystackRoute
from sandbox.pending_charges import bodies, queries
from sandbox.pending_charges.errors import ChargeInProgress, ChargeReferenceInvalid, NoPendingCharge
from sandbox.pending_charges.lifecycle import Changed
from sandbox.pending_charges.models import PendingCharge
from sandbox.pending_charges.parsing import parse_choice
from sandbox.responses import success
from sandbox.state import CurrentState
from sandbox.transactions import queries as transaction_queries
from sandbox.transactions.models import Transaction
from sandbox.transactions.parsing import parse_initialize

router = APIRouter(tags=["Paystack's API"], route_class=PaystackRoute)


def _object(**properties: str) -> dict[str, object]:
    return {"type": "object", "properties": {name: {"description": text} for name, text in properties.items()}}


CHARGE = {
    "type": "object",
    "required": ["email", "amount"],
    "description": "Exactly one of `bank_transfer`, `mobile_money`, `qr` and `ussd` is required.",
    "properties": {
        "email": {"type": "string"},
        "amount": {"type": "integer", "description": "Subunits."},
        "currency": {"type": "string", "description": "Omitted: NGN."},
        "reference": {"type": "string"},
        "metadata": {"anyOf": [{"type": "object"}, {"type": "string"}]},
        "bank_transfer": _object(account_expires_at="ISO 8601 time. Omitted: in 15 minutes, or 25 for KES."),
        "mobile_money": _object(phone="Phone number of the payer.", provider="Mobile network."),
        "qr": {"type": "object"},
        "ussd": _object(type="Code of the bank: 737, 919, 822 or 966."),
    },
}
SUBMIT_OTP = {
    "type": "object",
    "required": ["otp", "reference"],
    "properties": {"otp": {"type": "string"}, "reference": {"type": "string"}},
}


@router.post("/charge", name="create_charge", summary="Create a charge", openapi_extra=body_of(CHARGE))
async def create_charge(request: Request, state: CurrentState) -> Response:
    """Charge through a channel that needs an action of the payer. `data.status` says which one. Cards are not emulated here."""
    fields = parse_fields(request.headers.get("content-type", ""), await request.body())
    new, choice = parse_initialize(fields), parse_choice(fields)

    def job(connection: sqlite3.Connection) -> Changed:
        transaction = transaction_queries.add(connection, new, state.settings.domain, "charge")
        return state.pending_charges.open(connection, transaction, choice)

    charge, transaction = await state.store.run(job)
    state.notify()
    return success("Charge attempted", bodies.charge_body(transaction, charge))


@router.post("/charge/submit_otp", name="submit_otp", summary="Submit an OTP", openapi_extra=body_of(SUBMIT_OTP))
async def submit_otp(request: Request, state: CurrentState) -> Response:
    """Send the one-time code of the payer. One wrong code ends the charge."""
    fields = parse_fields(request.headers.get("content-type", ""), await request.body())
    otp, reference = required_string(fields, "otp", 20), required_string(fields, "reference", 200)

    def job(connection: sqlite3.Connection) -> Changed:
        transaction = _find(connection, reference)
        return state.pending_charges.submit_otp(connection, transaction, otp)

    try:
        charge, transaction = await state.store.run(job)
    except (AlreadyPaid, ChargeInProgress, NoPendingCharge) as error:
        raise InvalidParams("This charge does not wait for a one-time code") from error
    state.notify()
    return success("Charge attempted", bodies.charge_body(transaction, charge))


@router.get("/charge/{reference}", name="check_charge", summary="Check a charge")
async def check_charge(reference: str, state: CurrentState) -> Response:
    """Show the status of a charge, and what it waits for."""

    def job(connection: sqlite3.Connection) -> tuple[PendingCharge | None, Transaction]:
        transaction = _find(connection, reference)
        return queries.find(connection, transaction.id), transaction

    charge, transaction = await state.store.run(job)
    return success("Reference check successful", bodies.charge_body(transaction, charge))


def _find(connection: sqlite3.Connection, reference: str) -> Transaction:
    transaction = transaction_queries.find(connection, reference)
    if transaction is None:
        raise ChargeReferenceInvalid
    return transaction
