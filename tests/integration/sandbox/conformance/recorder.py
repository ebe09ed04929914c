"""Makes every call of the sandbox, and records the responses and webhooks."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.fixtures.charge_webhooks import CHARGE_WEBHOOKS
from tests.fixtures.merchant import Merchant
from tests.integration.sandbox.conformance.openapi import Operation

EVIDENCE = {"customer_email": "a@b.co", "customer_name": "A", "customer_phone": "1", "service_details": "a book"}
ADDRESS = {"delivery_address": "1 Marina", "delivery_date": "2026-11-24"}
RESPONSE = {"resolution": "declined", "message": "It came", "refund_amount": 5, "uploaded_filename": "a.pdf"}
ACCOUNT = {"refund_account_details": {"currency": "NGN", "account_number": "0123456789", "bank_id": "9"}}


@dataclass
class Recording:
    responses: dict[Operation, list[Any]] = field(default_factory=dict)
    webhooks: dict[str, Any] = field(default_factory=dict)
    """By the name of the sample in Paystack's documentation."""


class Recorder:
    def __init__(self, merchant: Merchant, receiver: WebhookReceiver) -> None:
        self.recording = Recording()
        self._merchant = merchant
        self._receiver = receiver

    async def run(self) -> Recording:
        for name, payment in CHARGE_WEBHOOKS.items():
            await self._pay(name, **payment)
        paid = await self._transactions()
        await self._pending_charges()
        await self._refunds(paid)
        await self._disputes(paid)
        await self._merchant.control("settlements")
        (settled, *_) = await self._call("GET", "/settlement")
        await self._call("GET", "/settlement/{}/transactions", settled["id"])
        await self._webhook_events()
        for each in self._receiver.received:
            webhook = json.loads(each.body)
            self.recording.webhooks.setdefault(webhook["event"], webhook)
        return self.recording

    async def _call(self, method: str, path: str, *parts: object, query: str = "", body: object = None) -> Any:
        response = await self._merchant.call(method, path.format(*parts) + query, json=body)
        assert response.status_code == 200, (path, response.text)
        self.recording.responses.setdefault((method, path), []).append(response.json())
        return response.json().get("data")

    async def _pay(self, name: str, currency: str = "NGN", **payment: Any) -> None:
        before = len(self._receiver.received)
        started = await self._merchant.start(currency=currency)
        assert (await self._merchant.pay(started["reference"], **payment)).status_code == 200
        sent = (await self._receiver.wait(before + 1))[-1]
        self.recording.webhooks[f"charge.success.{name}"] = json.loads(sent.body)

    async def _transactions(self) -> dict[str, Any]:
        opening = {"email": "ada@example.com", "amount": 250_000, "currency": "NGN"}
        started = await self._call("POST", "/transaction/initialize", body=opening)
        await self._call("GET", "/transaction/verify/{}", started["reference"])
        await self._merchant.pay(started["reference"])
        paid: dict[str, Any] = await self._call("GET", "/transaction/verify/{}", started["reference"])
        await self._call("GET", "/transaction/{}", paid["id"])
        await self._call("GET", "/transaction/timeline/{}", paid["id"])
        await self._merchant.start()
        await self._call("GET", "/transaction")
        await self._call("GET", "/transaction", query="?use_cursor=true&perPage=5&status=success")
        await self._call("GET", "/transaction/totals")
        card = {"authorization_code": paid["authorization"]["authorization_code"]}
        await self._call("POST", "/transaction/charge_authorization", body=opening | card)
        await self._call("POST", "/transaction/partial_debit", body=opening | card | {"at_least": "100"})
        await self._call("POST", "/customer/authorization/deactivate", body=card)
        return paid

    async def _pending_charges(self) -> None:
        await self._call("GET", "/integration/payment_session_timeout")
        await self._call("PUT", "/integration/payment_session_timeout", body={"timeout": 0})
        orange = {"mobile_money": {"phone": "0700000000", "provider": "orange"}, "currency": "XOF"}
        payer = {"email": "ada@example.com", "amount": 250_000, "metadata": {"custom_fields": []}}
        for otp in ("1234", "0"):
            charge = await self._call("POST", "/charge", body=payer | orange)
            await self._call("GET", "/charge/{}", charge["reference"])
            await self._call("POST", "/charge/submit_otp", body={"otp": otp, "reference": charge["reference"]})
            await self._call("GET", "/charge/{}", charge["reference"])
        await self._merchant.webhooks(pending=0)
        for currency, name in (("NGN", "bank.transfer.rejected"), ("KES", "bank.transfer.rejected.pesalink")):
            before = len(self._receiver.received)
            started = await self._merchant.start(currency=currency)
            await self._merchant.control(f"transactions/{started['reference']}/transfer", amount=1)
            sent = (await self._receiver.wait(before + 1))[-1]
            self.recording.webhooks[name] = json.loads(sent.body)

    async def _refunds(self, paid: dict[str, Any]) -> None:
        for outcomes in (["processing", "processed"], ["failed"], ["needs-attention"]):
            body = {"transaction": paid["reference"], "amount": 100}
            refund = await self._call("POST", "/refund", body=body)
            for outcome in outcomes:
                await self._merchant.control(f"refunds/{refund['id']}", outcome=outcome)
                await self._call("GET", "/refund/{}", refund["id"])
        await self._merchant.webhooks(pending=0)
        await self._call("GET", "/refund")
        await self._call("POST", "/refund/retry_with_customer_details/{}", refund["id"], body=ACCOUNT)

    async def _disputes(self, paid: dict[str, Any]) -> None:
        opened = await self._merchant.control("disputes", reference=paid["reference"])
        number = opened.json()["data"]["id"]
        await self._call("GET", "/dispute")
        await self._call("GET", "/dispute/{}", number)
        await self._call("GET", "/dispute/transaction/{}", paid["id"])
        await self._call("PUT", "/dispute/{}", number, body={"refund_amount": 5})
        await self._call("GET", "/dispute/{}/upload_url", number, query="?upload_filename=a.pdf")
        await self._call("POST", "/dispute/{}/evidence", number, body=EVIDENCE | ADDRESS)
        await self._merchant.control(f"disputes/{number}", outcome="remind")
        await self._call("PUT", "/dispute/{}/resolve", number, body=RESPONSE)
        await self._merchant.control(f"disputes/{number}", outcome="declined")

    async def _webhook_events(self) -> None:
        await self._merchant.webhooks(pending=0)
        path = "/integration/webhooks/events"
        (event, *_) = await self._call("GET", path)
        await self._call("GET", f"{path}/{{}}", event["_id"])
        await self._call("GET", f"{path}/lookup", query=f"?reference={event['_id']}")
        await self._call("POST", f"{path}/resend", body={"ids": [event["_id"]]})
        wanted = {"category_row_id": event["category_row_id"]}
        await self._call("POST", f"{path}/resend-matching", body={"filters": wanted})
