"""Paystack as far as disputes and saved cards go, played by a transport: it remembers what was asked, and answers in its shapes."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from services.payments.paystack.client import Paystack
from tests.conftest import PAYSTACK_SECRET_KEY

Json = dict[str, Any]
LOST = object()
"""The request arrives, and the answer does not."""


@dataclass
class Bank:
    """`disputes`: bodies by id. `charge`: what the next repeat charge answers, or LOST."""

    disputes: dict[int, Json] = field(default_factory=dict)
    refunds: list[Json] = field(default_factory=list)
    refunds_of: Callable[[str], list[Json]] | None = None
    verified: dict[str, Json] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    charge: Callable[[Json], Json | object] | None = None
    lose: set[str] = field(default_factory=set)
    down: bool = False
    asked: list[tuple[str, str, Json]] = field(default_factory=list)

    def client(self) -> Paystack:
        return Paystack("http://paystack.test", SecretStr(PAYSTACK_SECRET_KEY), httpx.MockTransport(self._answer))

    def calls(self, part: str) -> list[Json]:
        """The bodies of the calls whose path has this part."""
        return [body for _, path, body in self.asked if part in path]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else dict(request.url.params)
        path = request.url.path
        self.asked.append((request.method, path, body))
        if self.down:
            raise httpx.ConnectError("down")
        answer = self._route(request.method, path, body)
        if any(part in path for part in self.lose):
            raise httpx.ReadTimeout("lost")
        return answer

    def _route(self, method: str, path: str, body: Json) -> httpx.Response:
        match [method, *path.strip("/").split("/")]:
            case ["GET", "dispute"]:
                wanted = [d for d in self.disputes.values() if d["status"] == body["status"]]
                page = int(body["page"])
                return _ok(wanted[50 * (page - 1) : 50 * page])
            case ["GET", "dispute", number]:
                found = self.disputes.get(int(number))
                return _ok(found) if found else _refused(404, "not_found", "Dispute not found")
            case ["GET", "dispute", _, "upload_url"]:
                return _ok({"signedUrl": "https://files.example/put?signed", "fileName": "qesp8a4df1xejihd9x5q"})
            case ["POST", "dispute", number, "evidence"]:
                return _ok({**body, "dispute": int(number), "id": 21})
            case ["PUT", "dispute", number, "resolve"]:
                return self._resolve(self.disputes[int(number)], body)
            case ["POST", "transaction", "charge_authorization"]:
                return self._charge(body)
            case ["GET", "transaction", "verify", reference]:
                found = self.verified.get(reference)
                return (
                    _ok(found) if found else _refused(404, "transaction_not_found", "Transaction reference not found.")
                )
            case ["POST", "customer", "authorization", "deactivate"]:
                if body["authorization_code"] not in self.codes:
                    return httpx.Response(404, json={"status": False, "message": "Authorization code not found."})
                self.codes.discard(body["authorization_code"])
                return httpx.Response(200, json={"status": True, "message": "Authorization has been deactivated"})
            case ["GET", "refund"]:
                return _ok(self.refunds_of(body["transaction"]) if self.refunds_of else self.refunds)
        raise AssertionError(f"{method} {path}")

    def _resolve(self, dispute: Json, body: Json) -> httpx.Response:
        if body["refund_amount"] > dispute["transaction"]["amount"]:
            return _refused(400, "invalid_params", "Refund amount cannot be greater than initial amount")
        dispute["resolution"], dispute["refund_amount"] = body["resolution"], body["refund_amount"]
        accepted = body["resolution"] == "merchant-accepted"
        dispute["status"] = "resolved" if accepted else "awaiting-bank-feedback"
        # In this answer the transaction is a number.
        return _ok(dispute | {"transaction": dispute["transaction"]["id"]})

    def _charge(self, body: Json) -> httpx.Response:
        assert self.charge is not None
        answer = self.charge(body)
        if answer is LOST:
            raise httpx.ReadTimeout("lost")
        if isinstance(answer, httpx.Response):
            return answer
        return _ok(answer)


def _ok(data: Any) -> httpx.Response:
    return httpx.Response(200, json={"status": True, "message": "", "data": data})


def _refused(status: int, code: str, message: str) -> httpx.Response:
    return httpx.Response(status, json={"status": False, "message": message, "code": code, "type": "validation_error"})


refused = _refused


def dispute(number: int, reference: str, amount: int = 50_000, **changes: Any) -> Json:
    """A dispute as GET /dispute/:id tells it."""
    return {
        "id": number,
        "refund_amount": amount,
        "currency": "NGN",
        "status": "awaiting-merchant-feedback",
        "resolution": None,
        "domain": "test",
        "transaction": {
            "id": number + 1,
            "domain": "test",
            "status": "success",
            "reference": reference,
            "amount": amount,
            "currency": "NGN",
        },
        "transaction_reference": None,
        "category": "chargeback",
        "dueAt": "2099-11-25T18:00:00.000Z",
        "resolvedAt": None,
        "createdAt": "2026-11-20T13:46:57.000Z",
        "updatedAt": "2026-11-24T18:00:02.000Z",
        **changes,
    }


def notice(kind: str, body: Json) -> Json:
    """charge.dispute.create, .remind or .resolve: created_at here, createdAt elsewhere."""
    data = {name: value for name, value in body.items() if name not in {"createdAt", "updatedAt"}}
    data |= {"created_at": body["createdAt"], "updated_at": body["updatedAt"]}
    return {"event": f"charge.dispute.{kind}", "data": data}


def authorization(card: str = "4081", **changes: Any) -> Json:
    """The authorization of a paid charge."""
    return {
        "authorization_code": f"AUTH_{card}",
        "bin": "408408",
        "last4": card,
        "exp_month": "12",
        "exp_year": "2030",
        "channel": "card",
        "card_type": "visa ",
        "bank": "TEST BANK",
        "country_code": "NG",
        "brand": "visa",
        "reusable": True,
        "signature": f"SIG_{card}",
        "account_name": None,
        **changes,
    }
