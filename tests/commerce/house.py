"""Paystack with books of its own, played by a transport: what is paid, refunded and disputed there is the truth that ours must reach."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from services.payments.paystack.client import Paystack
from tests.conftest import PAYSTACK_SECRET_KEY
from tests.payments.bank import Json, _ok, dispute, notice, refused

NUMBERS = itertools.count(1_000_000)
OPEN = ("pending", "processing")


@dataclass
class Transaction:
    """`asked` is what we asked for. `kept`: what lost disputes took that is listed nowhere."""

    reference: str
    asked: int
    currency: str
    id: int = field(default_factory=lambda: next(NUMBERS))
    status: str = "abandoned"
    paid: int = 0
    fees: int | None = None
    paid_currency: str = "NGN"
    refunds: list[Json] = field(default_factory=list)
    dispute: Json | None = None
    taken: int = 0

    @property
    def back(self) -> int:
        """What the payer has again."""
        return self.taken + sum(int(each["amount"]) for each in self.refunds if each["status"] == "processed")

    @property
    def left(self) -> int:
        """What can still be given back."""
        return self.paid - self.taken - sum(int(each["amount"]) for each in self.refunds if each["status"] != "failed")

    def told(self) -> Json:
        status = self.status
        if status == "success" and any(refund["status"] in OPEN for refund in self.refunds):
            status = "reversal-pending"
        elif status == "success" and self.back:
            status = "reversed"
        paid = self.status == "success"
        return {
            "id": self.id,
            "domain": "test",
            "status": status,
            "reference": self.reference,
            "amount": self.paid if paid else self.asked,
            "requested_amount": self.asked,
            "currency": self.paid_currency if paid else self.currency,
            "fees": self.fees,
            "channel": "card",
            "gateway_response": status,
            "paid_at": "2026-11-23T09:15:02.000Z" if paid else None,
        }


@dataclass
class House:
    """`mail`: notices on their way to us; `lost`: those that never came. `touch` is called before and after each call, and may end it.

    `lose`: of the calls to come, so many are carried out and not answered. `touched`: how often `touch` was due.
    """

    touch: Callable[[], None] = lambda: None
    transactions: dict[str, Transaction] = field(default_factory=dict)
    mail: list[Json] = field(default_factory=list)
    lost: list[Json] = field(default_factory=list)
    lose: int = 0
    touched: int = 0

    def client(self) -> Paystack:
        return Paystack("http://paystack.test", SecretStr(PAYSTACK_SECRET_KEY), httpx.MockTransport(self._answer))

    def pay(self, one: Transaction, status: str, *, paid: int, fees: int | None = None, currency: str = "NGN") -> None:
        one.status = status
        if status == "success":
            one.paid, one.fees, one.paid_currency = paid, fees, currency
            self.mail.append({"event": "charge.success", "data": one.told()})

    def stranger(self, reference: str, paid: int) -> Transaction:
        """Money that we did not ask for, such as a transfer into a dedicated account."""
        one = self.transactions[reference] = Transaction(reference, paid, "NGN")
        self.pay(one, "success", paid=paid)
        return one

    def refund(self, one: Transaction, amount: int, note: str | None = None) -> Json:
        refund = {"id": next(NUMBERS), "amount": amount, "status": "pending", "merchant_note": note}
        one.refunds.append(refund)
        self._tell(one, refund)
        return refund

    def end_refund(self, one: Transaction, refund: Json, status: str) -> None:
        refund["status"] = status
        self._tell(one, refund)

    def complain(self, one: Transaction, amount: int) -> None:
        body = dispute(next(NUMBERS), one.reference, amount)
        one.dispute = body | {"transaction": one.told()}
        self.mail.append(notice("create", one.dispute))

    def end_dispute(self, one: Transaction, *, lost: bool, listed: bool) -> None:
        """Lost, its money goes back at once: among the refunds, or seen in the transaction's status only."""
        assert one.dispute is not None
        amount = one.dispute["refund_amount"]
        if lost and listed:
            one.refunds.append({"id": next(NUMBERS), "amount": amount, "status": "processed", "merchant_note": None})
        elif lost:
            one.taken += amount
        resolution = "auto-accepted" if lost else "declined"
        one.dispute |= {"status": "resolved", "resolution": resolution, "updatedAt": "2026-11-25T01:00:00.000Z"}
        self.mail.append(notice("resolve", one.dispute | {"transaction": one.told()}))

    def _touch(self) -> None:
        self.touched += 1
        self.touch()

    def _tell(self, one: Transaction, refund: Json) -> None:
        data = {"transaction_reference": one.reference, "amount": str(refund["amount"]), "status": refund["status"]}
        self.mail.append({"event": f"refund.{refund['status']}", "data": data})

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self._touch()
        body = json.loads(request.content) if request.content else dict(request.url.params)
        answer = self._route(request.method, request.url.path, body)
        self._touch()
        if self.lose:
            self.lose -= 1
            raise httpx.ReadTimeout("lost")
        return answer

    def _route(self, method: str, path: str, body: Json) -> httpx.Response:
        match [method, *path.strip("/").split("/")]:
            case ["POST", "transaction", "initialize"]:
                reference = body["reference"]
                assert reference not in self.transactions, "a reference was sent twice"
                self.transactions[reference] = Transaction(reference, body["amount"], body["currency"])
                return _ok({"authorization_url": f"https://pay.test/{reference}", "access_code": "c"} | body)
            case ["GET", "transaction", "verify", reference]:
                one = self.transactions.get(reference)
                return _ok(one.told()) if one else refused(404, "transaction_not_found", "not found")
            case ["POST", "transaction", "charge_authorization"]:
                reference = body["reference"]
                assert reference not in self.transactions, "a reference was sent twice"
                one = self.transactions[reference] = Transaction(reference, body["amount"], body["currency"])
                self.pay(one, "success", paid=one.asked)
                return _ok(one.told())
            case ["POST", "refund"]:
                one = self.transactions[body["transaction"]]
                assert body["currency"] == one.paid_currency
                if body["amount"] > one.left:
                    return refused(
                        400, "invalid_params", "Total refund amount cannot exceed original transaction amount"
                    )
                return _ok(self.refund(one, body["amount"], body["merchant_note"]))
            case ["GET", "refund"]:
                return _ok(next(one.refunds for one in self._all() if one.id == int(body["transaction"])))
            case ["GET", "dispute"]:
                return _ok(
                    [d for d in self._disputes() if d["status"] == body["status"]] if body["page"] == "1" else []
                )
            case ["GET", "dispute", number]:
                return _ok(next(d for d in self._disputes() if d["id"] == int(number)))
        raise AssertionError(f"{method} {path}")

    def _all(self) -> list[Transaction]:
        return list(self.transactions.values())

    def _disputes(self) -> list[Json]:
        """As Paystack knows them now."""
        return [one.dispute | {"transaction": one.told()} for one in self._all() if one.dispute is not None]


def of(value: Any, among: list[Any]) -> Any:
    """One of them, whatever the number."""
    return among[value % len(among)]
