"""Authorizations at Paystack: charge a saved card, or deactivate it."""

from dataclasses import dataclass
from typing import Any

from kit.email_addresses import ascii_email
from services.payments.paystack.charge import Charge
from services.payments.paystack.errors import NoAnswer, Refused
from services.payments.paystack.parsing import parse_text
from services.payments.paystack.transactions import parse_charge_response
from services.payments.paystack.transport import Transport


@dataclass(frozen=True, slots=True)
class Challenge:
    """The bank requires that the payer authorizes the charge on the checkout page at `authorization_url`.

    Nothing is charged yet.
    """

    authorization_url: str
    access_code: str | None


class Authorizations:
    """The calls /transaction/charge_authorization and /customer/authorization/deactivate."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def charge(
        self, *, code: str, reference: str, email: str, amount: int, currency: str, metadata: dict[str, Any]
    ) -> Charge | Challenge:
        """POST /transaction/charge_authorization. `email` must be the address of the payment that saved the card.

        After NoAnswer, verify the reference and never send it again. After Refused, no transaction exists. A charge that the bank
        declines is returned; its status says so.
        """
        body = {
            "authorization_code": code,
            "reference": reference,
            "email": ascii_email(email),
            "amount": amount,
            "currency": currency,
            "metadata": metadata,
        }
        data = await self._transport.call("charge_authorization", "POST", "/transaction/charge_authorization", body)
        if data.get("paused") is True:
            url = parse_text(data.get("authorization_url"), 2000)
            if url is None:
                raise NoAnswer("the charge is paused without an authorization_url")
            return Challenge(url, parse_text(data.get("access_code"), 100))
        return parse_charge_response(data, reference)

    async def deactivate(self, code: str) -> None:
        """POST /customer/authorization/deactivate. Raises no error if Paystack does not know the code any more."""
        try:
            path = "/customer/authorization/deactivate"
            await self._transport.request("deactivate", "POST", path, {"authorization_code": code})
        except Refused as refused:
            if refused.status != 404:
                raise
