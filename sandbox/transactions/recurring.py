"""Paystack's own paths for cards that payers left behind."""

import sqlite3

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.door.documents import body_of
from sandbox.door.guard import PaystackRoute
from sandbox.door.texts import required
from sandbox.errors import Refusal
from sandbox.integration import Merchant
from sandbox.transactions import authorizations, bodies, ledger
from sandbox.transactions.cards import BY_NUMBER
from sandbox.transactions.charges import Charge, carry_out
from sandbox.transactions.initialization import fields, opening
from sandbox.transactions.ledger import Transaction
from sandbox.wire import Answer, succeeded

router = APIRouter(tags=["Paystack's API"], route_class=PaystackRoute)


class CardNotFound(Refusal):
    """Authorization code not found."""

    status = 404
    code = "not_found"


class CardNotUsable(Refusal):
    """Authorization code is not one that can be charged"""

    code = "invalid_params"
    next_step = "Charge the authorization of a payment whose reusable was true"


class EmailDiffers(Refusal):
    """Email does not match the authorization code"""

    code = "invalid_params"
    next_step = "Send the email with which the authorization was made"


CHARGE = {
    "type": "object",
    "required": ["email", "amount", "authorization_code"],
    "properties": {
        "email": {"type": "string", "description": "That of the payment which left the card."},
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


@router.post("/transaction/charge_authorization", name="charge_authorization", openapi_extra=body_of(CHARGE))
async def charge_authorization(request: Request, merchant: Merchant) -> Response:
    """Charge a card again, without its owner. Read data.status; a refusal (400) makes no transaction."""
    sent = fields(request.headers.get("content-type", ""), await request.body())
    start, code = opening(sent), required(sent, "authorization_code", 100)
    outcome = merchant.faults.weather.saved_cards

    def job(connection: sqlite3.Connection) -> Transaction:
        card = authorizations.find(connection, code)
        if card is None:
            raise CardNotUsable
        if card.email != start.email.lower():
            raise EmailDiffers
        added = ledger.add(connection, start, merchant.settings.domain, "charge")
        if outcome == "paused":
            return added
        attempt = Charge(
            "success" if outcome == "charged" else "failed",
            BY_NUMBER[card.card],
            channel=card.channel,
            words="Approved" if outcome == "charged" else None,
        )
        return carry_out(connection, merchant.postbox, added, attempt)

    charged = await merchant.store.run(job)
    merchant.wake()
    if outcome == "paused":
        data = {
            "paused": True,
            "reference": charged.reference,
            "authorization_url": f"{merchant.settings.origin}/checkout/{charged.access_code}",
            "access_code": charged.access_code,
        }
        return succeeded("Please, redirect your customer to the authorization url provided", data)
    return succeeded("Charge attempted", bodies.attempted(charged))


@router.post("/customer/deactivate_authorization", name="deactivate", include_in_schema=False)  # so Paystack's Node SDK
@router.post("/customer/authorization/deactivate", name="deactivate", openapi_extra=body_of(DEACTIVATE))
async def deactivate(request: Request, merchant: Merchant) -> Response:
    """Charge this card no more."""
    code = required(fields(request.headers.get("content-type", ""), await request.body()), "authorization_code", 100)
    if not await merchant.store.run(lambda connection: authorizations.deactivate(connection, code)):
        raise CardNotFound
    return Answer({"status": True, "message": "Authorization has been deactivated"})
