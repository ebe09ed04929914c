"""One buyer, with the actions that scenarios consist of."""

import asyncio
import random
from typing import Any
from uuid import uuid4

from dev.chaos.client import Client, ExpectationFailed, Json, UnexpectedAnswer, problem_code, until

SETTLED = frozenset({"succeeded", "held", "partially_refunded", "refunded", "disputed"})
SETTLED_SECONDS = 120.0
POLL_SECONDS = 0.3
REFUSED = frozenset({409, 422})
ARRIVAL_SECONDS = 120.0
"""Time limit for a transfer. It is longer than a restart of the sandbox."""


class TooLate(Exception):
    """The order expired or its product was sold out before this buyer could pay. This is a valid outcome."""


class Buyer:
    """A customer with a token. `plenty` is a product that is never sold out, `scarce` one with a small stock."""

    def __init__(self, client: Client, rng: random.Random, plenty: Json, scarce: Json) -> None:
        self.rng = rng
        self.plenty = plenty
        self.scarce = scarce
        self._client = client
        self._headers = client.bearer()
        self._payment_fields: Json = {}
        self._payments = f"{client.env['PAYMENTS_URL']}/payments"

    async def become_guest(self) -> None:
        """Order and pay as a guest from now on. The payment gets the e-mail address, because a guest has none."""
        answer = await self._client.retry("POST", f"{self._client.env['AUTH_URL']}/auth/guests", expect=201)
        self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        self._payment_fields = {"email": "guest@example.com"}

    async def order_and_start_payment(self, product: Json | None = None) -> Json:
        """Place an order, start its payment, and return the payment."""
        return await self.start_payment(await self.order(product or self.plenty))

    async def order(self, product: Json) -> Json:
        """Place an order for one to three units. Raises TooLate if the product is sold out."""
        try:
            return await self._client.order(self._headers, product, self.rng.randint(1, 3))
        except UnexpectedAnswer as refusal:
            raise _too_late(refusal, "out_of_stock") from refusal

    async def start_payment(self, order: Json) -> Json:
        """Start a payment for an order. Raises TooLate if the order has expired."""
        try:
            return await self._client.start_payment(self._headers, order, **self._payment_fields)
        except UnexpectedAnswer as refusal:
            raise _too_late(refusal, "order_not_payable") from refusal

    async def pay(self, payment: Json, **options: Any) -> None:
        """Pay at the sandbox. Retries until the sandbox accepts the payment or says that it was already paid.

        Raises TooLate if the checkout has expired.
        """
        await self._act_as_payer(payment, "pay", options, "already_paid")

    async def transfer(self, payment: Json, **options: Any) -> None:
        """Send a bank transfer at the sandbox, and wait until it arrives or is sent back. Raises TooLate if the checkout has expired."""
        await self._act_as_payer(payment, "transfer", options, "already_paid", "charge_in_progress")
        url = f"{self._client.env['SANDBOX_URL']}/sandbox/transactions/{payment['reference']}"

        async def arrived() -> bool | None:
            await asyncio.sleep(POLL_SECONDS)
            answer = await self._client.retry("GET", url, expect=200)
            return None if answer.json()["data"]["status"] == "pending" else True

        await until(arrived, ARRIVAL_SECONDS)

    async def _act_as_payer(self, payment: Json, step: str, options: Json, *repeated: str) -> None:
        """Call a control route of the sandbox. `repeated`: codes of the refusals that mean that an earlier try succeeded."""
        url = f"{self._client.env['SANDBOX_URL']}/sandbox/transactions/{payment['reference']}/{step}"
        answer = await self._client.retry("POST", url, json=options)
        code = problem_code(answer)
        if code == "session_expired":
            raise TooLate(code)
        if answer.status_code != 200 and code not in repeated:
            raise ExpectationFailed(f"{step} {payment['reference']}: {answer.status_code} {answer.text[:200]}")

    async def verify(self, payment: Json) -> None:
        """Ask payments to verify the payment at Paystack."""
        url = f"{self._payments}/{payment['reference']}/verify"
        await self._client.retry("POST", url, headers=self._headers, expect=200)

    async def return_from_checkout(self, payment: Json) -> None:
        """Follow the redirect from the checkout page."""
        await self._client.retry("GET", f"{self._payments}/callback", params={"reference": payment["reference"]})

    async def cancel(self, order: Json) -> None:
        """Cancel an order. A refusal is valid, because the order may be paid already."""
        url = f"{self._client.env['CATALOG_URL']}/catalog/orders/{order['id']}/cancel"
        await self._client.retry("POST", url, headers=self._headers)

    async def buy_and_wait_settled(self) -> Json:
        """Place an order, pay for it, wait until the payment is settled, and return the payment."""
        payment = await self.order_and_start_payment()
        await self.pay(payment)

        async def settled() -> bool | None:
            await asyncio.sleep(POLL_SECONDS)
            url = f"{self._payments}/{payment['reference']}"
            answer = await self._client.retry("GET", url, headers=self._headers, expect=200)
            return True if answer.json()["status"] in SETTLED else None

        await until(settled, SETTLED_SECONDS)
        return payment

    async def refund(self, payment: Json, **body: int) -> None:
        """Request a refund as an operator: of `amount`, or of everything.

        A refusal is valid, because an undeliverable order may be refunded already.
        """
        headers = {**self._client.admin, "Idempotency-Key": uuid4().hex}
        url = f"{self._payments}/{payment['reference']}/refunds"
        answer = await self._client.retry("POST", url, json=body or {"all": True}, headers=headers)
        if answer.status_code == 202:
            self._client.acknowledged.refunds.add(answer.json()["id"])
        elif answer.status_code not in REFUSED:
            raise ExpectationFailed(f"refund {payment['reference']}: {answer.status_code} {answer.text[:200]}")

    async def saved_cards(self) -> list[Json]:
        """Return the buyer's saved cards."""
        answer = await self._client.retry("GET", f"{self._payments}/cards", headers=self._headers, expect=200)
        return list(answer.json()["items"])

    async def charge(self, order: Json, card: Json) -> None:
        """Pay an order with a saved card. A refusal is valid, because Paystack may decline the card."""
        body = {"order_id": order["id"], "card_id": card["id"]}
        headers = {**self._headers, "Idempotency-Key": uuid4().hex}
        answer = await self._client.retry("POST", f"{self._payments}/charge", json=body, headers=headers)
        if answer.status_code == 201:
            self._client.acknowledged.payments.add(answer.json()["reference"])
        elif answer.status_code not in REFUSED:
            raise ExpectationFailed(f"charging a saved card: {answer.status_code} {answer.text[:200]}")


def _too_late(refusal: UnexpectedAnswer, code: str) -> Exception:
    return TooLate(code) if refusal.code == code else refusal
