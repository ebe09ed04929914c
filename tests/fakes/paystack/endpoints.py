"""What the fake answers to each endpoint that payments uses, from the state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from tests.fakes.paystack.bodies import Json
from tests.fakes.paystack.faults import refusal, success
from tests.fakes.paystack.state import State, Transaction

PER_PAGE = 50
UPLOADED_FILENAME = "qesp8a4df1xejihd9x5q"


@dataclass
class Endpoints(State):
    """The effect of each call on the state, and its answer."""

    saved_card_answer: Json = field(default_factory=lambda: {"status": "success", "authorization": {}})
    """What the next charges of a saved card come to: fields of the transaction's body, or `paused`."""

    session_timeout: int = 0
    """Seconds that an unpaid checkout lives; 0: no end."""

    def route(self, method: str, parts: Sequence[str], body: Json) -> tuple[str, Callable[[], httpx.Response]]:
        """Return the operation's name and its effect."""
        match [method, *parts]:
            case ["POST", "transaction", "initialize"]:
                return "initialize", lambda: self._initialize(body)
            case ["POST", "transaction", "charge_authorization"]:
                return "charge_authorization", lambda: self._charge_authorization(body)
            case ["GET", "transaction", "verify", reference]:
                return "verify", lambda: self._verify(reference)
            case ["GET", "transaction", number]:
                return "transaction", lambda: self._fetch(int(number))
            case ["GET", "transaction"]:
                return "transactions", lambda: self._transactions(body)
            case ["POST", "refund"]:
                return "refund", lambda: self._refund(body)
            case ["GET", "refund"]:
                return "refunds", lambda: self._refunds(body)
            case ["POST", "refund", "retry_with_customer_details", number]:
                return "retry_refund", lambda: self._retry_refund(int(number))
            case ["GET", "dispute"]:
                return "disputes", lambda: self._list_disputes(body)
            case ["GET", "dispute", number]:
                return "dispute", lambda: self._dispute(int(number))
            case ["GET", "dispute", _, "upload_url"]:
                upload = {"signedUrl": "https://files.example/put?signed", "fileName": UPLOADED_FILENAME}
                return "upload_url", lambda: success(upload)
            case ["POST", "dispute", number, "evidence"]:
                return "evidence", lambda: success({**body, "dispute": int(number), "id": 21})
            case ["PUT", "dispute", number, "resolve"]:
                return "resolve", lambda: self._resolve(int(number), body)
            case ["POST", "customer", "authorization", "deactivate"]:
                return "deactivate", lambda: self._deactivate(body)
            case ["GET", "settlement"]:
                return "payouts", lambda: self._page(body, self.settlements)
            case ["GET", "settlement", number, "transactions"]:
                return "payout_transactions", lambda: self._page(body, self._bodies(self.settled[int(number)]))
            case ["GET", "integration", "payment_session_timeout"]:
                return "session_timeout", lambda: success({"payment_session_timeout": self.session_timeout})
            case ["GET", "integration", "webhooks", "events"]:
                return "events", lambda: self._events(body)
            case ["GET", "integration", "webhooks", "events", key]:
                return "event", lambda: self._event(key)
        raise AssertionError(f"payments calls no such endpoint: {method} /{'/'.join(parts)}")

    # Transactions.

    def _initialize(self, body: Json) -> httpx.Response:
        reference = self._new(body).reference
        return success(
            {"authorization_url": f"https://pay.test/{reference}", "access_code": "code", "reference": reference}
        )

    def _new(self, body: Json) -> Transaction:
        reference = body["reference"]
        assert reference not in self.transactions, "a reference was sent twice"
        one = self.transactions[reference] = Transaction(reference, body["amount"], body["currency"])
        return one

    def _charge_authorization(self, body: Json) -> httpx.Response:
        one = self._new(body)
        outcome = dict(self.saved_card_answer)
        if outcome.get("paused") is True:
            return success({"reference": one.reference, **outcome})
        one.paid, one.paid_currency = outcome.pop("amount", one.requested), one.currency
        one.status, one.fees = outcome.pop("status", "success"), outcome.pop("fees", 750)
        one.changes = outcome
        if one.status == "success":
            self.send("charge.success", one.body())
        shown = one.body()
        # The answer of a repeat charge does not say what was requested.
        del shown["requested_amount"]
        return success(shown)

    def _verify(self, reference: str) -> httpx.Response:
        one = self.transactions.get(reference)
        if one is None:
            return refusal(404, "transaction_not_found", "Transaction reference not found.")
        return success(one.body())

    def _fetch(self, number: int) -> httpx.Response:
        one = next((one for one in self.transactions.values() if one.id == number), None)
        if one is None:
            return refusal(404, "transaction_not_found", "Transaction not found")
        return success(one.body())

    def _transactions(self, query: Json) -> httpx.Response:
        since, until = (datetime.fromisoformat(query[name]) for name in ("from", "to"))
        listed = self._bodies(sorted(self.transactions.keys() - self.unlisted))
        return self._page(query, [one for one in listed if since <= datetime.fromisoformat(one["created_at"]) <= until])

    def _bodies(self, references: Sequence[str]) -> list[Json]:
        return [self.transactions[reference].body() for reference in sorted(references)]

    @staticmethod
    def _page(query: Json, data: list[Any]) -> httpx.Response:
        page, size = int(query["page"]), int(query["perPage"])
        assert size == PER_PAGE
        meta = {"total": len(data), "perPage": size, "page": page, "pageCount": -(-len(data) // size)}
        return success(data[(page - 1) * size : page * size], meta=meta)

    # Refunds.

    def _refund(self, body: Json) -> httpx.Response:
        one = self.transactions.get(body["transaction"])
        if one is None:
            return refusal(404, "transaction_not_found", "Transaction not found")
        assert body["currency"] == one.paid_currency
        if body["amount"] > one.refundable:
            message = "Total refund amount cannot exceed original transaction amount"
            return refusal(400, "invalid_params", message)
        return success(self.add_refund(one, body["amount"], note=body["merchant_note"]))

    def _refunds(self, query: Json) -> httpx.Response:
        """A transaction's refunds, by its id. A reference finds none."""
        wanted = (one.refunds for one in self.transactions.values() if str(one.id) == query["transaction"])
        return success(next(wanted, []))

    def _retry_refund(self, number: int) -> httpx.Response:
        every = (refund for one in self.transactions.values() for refund in one.refunds)
        refund = next(refund for refund in every if refund["id"] == number)
        refund["status"] = "processing"
        return success(refund)

    # Disputes.

    def _list_disputes(self, query: Json) -> httpx.Response:
        shown = [self.shown_dispute(body) for body in self.disputes.values() if body["status"] == query["status"]]
        page = int(query["page"])
        return success(shown[PER_PAGE * (page - 1) : PER_PAGE * page])

    def _dispute(self, number: int) -> httpx.Response:
        body = self.disputes.get(number)
        return refusal(404, "not_found", "Dispute not found") if body is None else success(self.shown_dispute(body))

    def _resolve(self, number: int, body: Json) -> httpx.Response:
        dispute = self.disputes[number]
        if body["refund_amount"] > dispute["transaction"]["amount"]:
            return refusal(400, "invalid_params", "Refund amount cannot be greater than initial amount")
        accepted = body["resolution"] == "merchant-accepted"
        dispute["resolution"], dispute["refund_amount"] = body["resolution"], body["refund_amount"]
        dispute["status"] = "resolved" if accepted else "awaiting-bank-feedback"
        one = self.transactions.get(dispute["transaction"]["reference"])
        if accepted and one is not None:
            one.taken += body["refund_amount"]
        # In this answer the transaction is a number.
        return success(dispute | {"transaction": dispute["transaction"]["id"]})

    # Cards and webhook events.

    def _deactivate(self, body: Json) -> httpx.Response:
        if body["authorization_code"] not in self.authorizations:
            return httpx.Response(404, json={"status": False, "message": "Authorization code not found."})
        self.authorizations.discard(body["authorization_code"])
        return httpx.Response(200, json={"status": True, "message": "Authorization has been deactivated"})

    def _events(self, query: Json) -> httpx.Response:
        """The archive, newest first, without payloads."""
        assert query["from"].endswith("Z")
        assert query["to"].endswith("Z")
        begin, limit = int(query.get("next") or 0), int(query["limit"])
        entries = self.archive[::-1][begin : begin + limit]
        following = str(begin + limit) if begin + limit < len(self.archive) else None
        listed = [{name: entry[name] for name in entry if name != "event_payload"} for entry in entries]
        return success(listed, meta={"next": following, "previous": None})

    def _event(self, key: str) -> httpx.Response:
        entry = next((entry for entry in self.archive if entry["_id"] == key), None)
        return refusal(404, "not_found", "Webhook not found") if entry is None else success(entry)
