"""The state of one Paystack integration: what was paid, refunded, disputed and paid out. It is the truth that payments must reach."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.paystack import bodies
from tests.fakes.paystack.bodies import Json

OPEN_REFUNDS = ("pending", "processing")
IDS = itertools.count(1_000_000)


@dataclass
class Transaction:
    """`requested` is the amount that initialize asked for, `paid` what the payer paid.

    `taken`: subunits that lost disputes took and that are listed among no refunds.
    """

    reference: str
    requested: int
    currency: str = "NGN"
    status: str = "abandoned"
    paid: int = 0
    paid_currency: str = "NGN"
    fees: int | None = None
    refunds: list[Json] = field(default_factory=list)
    dispute: Json | None = None
    taken: int = 0
    changes: Json = field(default_factory=dict)
    """Fields of the body that differ from what follows from the above."""

    @property
    def id(self) -> int:
        return int(self.changes.get("id") or bodies.transaction_id(self.reference))

    @property
    def returned(self) -> int:
        """Subunits that the payer has back."""
        return self.taken + sum(int(each["amount"]) for each in self.refunds if each["status"] == "processed")

    @property
    def refundable(self) -> int:
        """Subunits that can still be given back."""
        return self.paid - self.taken - sum(int(each["amount"]) for each in self.refunds if each["status"] != "failed")

    @property
    def shown_status(self) -> str:
        """The status that verify shows: a refunded transaction is `reversed`, also where only a part went back."""
        if self.status == "success" and any(refund["status"] in OPEN_REFUNDS for refund in self.refunds):
            return "reversal-pending"
        return "reversed" if self.status == "success" and self.returned else self.status

    def body(self) -> Json:
        """Return the transaction as verify shows it."""
        paid = self.status == "success"
        return {
            "id": self.id,
            "domain": "test",
            "status": self.shown_status,
            "reference": self.reference,
            "amount": self.paid if paid else self.requested,
            "requested_amount": self.requested,
            "currency": self.paid_currency if paid else self.currency,
            "fees": self.fees,
            "channel": "card",
            "gateway_response": "Successful" if paid else self.status,
            "metadata": "",
            "paid_at": "2026-11-23T09:15:02.000Z" if paid else None,
            "created_at": datetime.now(UTC).isoformat(),
            **self.changes,
        }


@dataclass
class State:
    """Everything that the integration holds, with the actions of payers, banks and the dashboard.

    `undelivered`: webhooks that were sent and have not arrived.
    """

    transactions: dict[str, Transaction] = field(default_factory=dict, repr=False)
    unlisted: set[str] = field(default_factory=set)
    """References that verify knows and the lists do not show yet."""
    disputes: dict[int, Json] = field(default_factory=dict)
    authorizations: set[str] = field(default_factory=set)
    """Active authorization codes."""
    settlements: list[Json] = field(default_factory=list)
    settled: dict[int, list[str]] = field(default_factory=dict)
    """References by settlement."""
    undelivered: list[Json] = field(default_factory=list)
    archive: list[Json] = field(default_factory=list)
    """The Webhook Events API's entries, oldest first."""

    def add_transaction(
        self, reference: str, amount: int = 50_000, *, status: str = "success", fees: int | None = 750, **changes: Any
    ) -> Transaction:
        """Add a transaction without a webhook: paid unless `status` says otherwise. `changes` are fields of its body."""
        one = Transaction(reference, amount, status=status, fees=fees, changes=changes)
        one.paid = amount
        if one.status != "success":
            one.changes = {"amount": amount, "status": status, **changes}
        self.transactions[reference] = one
        return one

    def pay(
        self, one: Transaction, status: str = "success", *, paid: int, fees: int | None = None, currency: str = "NGN"
    ) -> None:
        """Let the payer pay, or fail to."""
        one.status = status
        if status == "success":
            one.paid, one.fees, one.paid_currency = paid, fees, currency
            self.send("charge.success", one.body())

    def receive_transfer(self, reference: str, paid: int) -> Transaction:
        """Receive money that nobody asked for, such as a transfer into a dedicated account."""
        one = self.transactions[reference] = Transaction(reference, paid)
        self.pay(one, paid=paid)
        return one

    def add_refund(
        self, one: Transaction, amount: int, *, note: str | None = None, status: str = "pending", **changes: Any
    ) -> Json:
        """Add a refund, as the API or the dashboard does, and send its webhook."""
        refund = {"id": next(IDS), "amount": amount, "status": status, "merchant_note": note, **changes}
        one.refunds.append(refund)
        self.send_refund_event(one, refund)
        return refund

    def end_refund(self, one: Transaction, refund: Json, status: str = "processed") -> None:
        refund["status"] = status
        self.send_refund_event(one, refund)

    def open_dispute(self, one: Transaction, amount: int, **changes: Any) -> Json:
        """Let the payer complain at the bank."""
        body = bodies.dispute(next(IDS), one.reference, amount, **changes)
        one.dispute = self.disputes[body["id"]] = body | {"transaction": one.body()}
        self.send_dispute_event("create", one.dispute)
        return one.dispute

    def resolve_dispute(
        self, dispute: Json, *, lost: bool, listed: bool = False, resolution: str = "auto-accepted", **changes: Any
    ) -> Json:
        """Decide a dispute. The money of a lost one goes back at once: among the refunds, or seen in the transaction's status only."""
        assert dispute["id"] in self.disputes
        dispute |= {
            "status": "resolved",
            "resolution": resolution if lost else "declined",
            "updatedAt": "2026-11-25T01:00:00.000Z",
            **changes,
        }
        one, amount = self.transactions[dispute["transaction"]["reference"]], dispute["refund_amount"]
        if lost and listed:
            one.refunds.append({"id": next(IDS), "amount": amount, "status": "processed", "merchant_note": None})
        elif lost:
            one.taken += amount
        self.send_dispute_event("resolve", self.shown_dispute(dispute))
        return dispute

    def shown_dispute(self, body: Json) -> Json:
        """Return a dispute as the API shows it now: with its transaction as it stands."""
        about = body.get("transaction")
        known = self.transactions.get(about["reference"]) if isinstance(about, dict) else None
        return body if known is None else body | {"transaction": known.body()}

    def add_settlement(self, number: int, *references: str, **changes: Any) -> Json:
        """Pay these transactions out to the merchant's bank."""
        charges = [self.transactions[reference].body() for reference in references]
        self.settled[number] = list(references)
        body = bodies.settlement(number, charges, datetime.now(UTC).isoformat(), **changes)
        self.settlements.insert(0, body)
        return body

    def archive_event(self, event: Json | None = None, row_id: int | None = None, **changes: Any) -> Json:
        """Add an entry to the Webhook Events API, of a webhook or of these fields."""
        number = len(self.archive)
        entry: Json = {"_id": f"e{number}", "status": "Failed", "category_row_id": row_id}
        if event is not None:
            entry |= {"event_name": event["event"], "event_payload": event}
        self.archive.append(entry | changes)
        return self.archive[-1]

    def send(self, event: str, data: Json) -> None:
        """Send a webhook; it is undelivered until the test takes it."""
        self.undelivered.append({"event": event, "data": data})

    def send_refund_event(self, one: Transaction, refund: Json) -> None:
        data = {"transaction_reference": one.reference, "amount": str(refund["amount"]), "status": refund["status"]}
        self.send(f"refund.{refund['status']}", data)

    def send_dispute_event(self, kind: str, body: Json) -> None:
        self.undelivered.append(bodies.dispute_event(kind, body))
