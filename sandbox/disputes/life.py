"""How a dispute is opened, answered, reminded of and settled; with each step a webhook is raised."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from sandbox.disputes import bodies, book
from sandbox.disputes.book import Category, Dispute, Resolution
from sandbox.disputes.errors import (
    AlreadyDisputed,
    DisputeAnswered,
    DisputeIsOver,
    DisputeNotFound,
    NothingToDispute,
    RefundAboveAmount,
)
from sandbox.errors import UnknownReference
from sandbox.orders import ONCE, Order
from sandbox.refunds import book as refunds
from sandbox.refunds.life import paid_back
from sandbox.store import now
from sandbox.transactions import ledger
from sandbox.transactions.bodies import instant
from sandbox.transactions.ledger import Transaction
from sandbox.webhooks.postbox import Event, Postbox

REMIND_HOURS = 4
"""Between two reminders; Paystack's hours, of which a merchant has sixteen."""
BANK_HOURS = 4
"""Until the bank has read what the merchant declined; how long it takes at Paystack is not known."""
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a script has the payer complain of."""

    reference: str
    amount: int | None
    """Subunits; None: all that was not given back."""
    category: Category
    words: str
    hours: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the merchant says to it."""

    resolution: Resolution
    words: str
    refund_amount: int
    filename: str


class DisputeLife:
    """`hour`: seconds that stand for one of Paystack's hours."""

    def __init__(self, postbox: Postbox, hour: float) -> None:
        self._postbox = postbox
        self._hour = hour

    def open(
        self, connection: sqlite3.Connection, complaint: Complaint, order: Order = ONCE
    ) -> tuple[Dispute, Transaction]:
        """Errors: UnknownReference, NothingToDispute, AlreadyDisputed."""
        transaction = ledger.find(connection, complaint.reference)
        if transaction is None:
            raise UnknownReference
        left = transaction.amount - refunds.taken(connection, transaction.id)
        amount = left if complaint.amount is None else complaint.amount
        if not transaction.paid or not 0 < amount <= left:
            raise NothingToDispute
        before = book.latest_of(connection, transaction.id)
        if before is not None and before.status != "resolved":
            raise AlreadyDisputed
        at = now()
        due_at = self._after(at, complaint.hours)
        dispute = book.add(
            connection,
            Dispute(
                id=0,
                transaction_id=transaction.id,
                domain=transaction.domain,
                status="awaiting-merchant-feedback",
                resolution=None,
                refund_amount=amount,
                currency=transaction.currency,
                category=complaint.category,
                complaint=complaint.words,
                answer=None,
                attachments=None,
                evidence=None,
                created_at=at,
                updated_at=at,
                due_at=due_at,
                resolved_at=None,
                next_at=min(self._after(at, REMIND_HOURS), due_at),
            ),
        )
        self._tell(connection, "create", dispute, transaction, order)
        return dispute, transaction

    def update(
        self, connection: sqlite3.Connection, number: int, refund_amount: int, filename: str | None
    ) -> tuple[Dispute, Transaction]:
        """Errors: DisputeNotFound, DisputeAnswered, RefundAboveAmount."""
        dispute, transaction = self._unanswered(connection, number, refund_amount)
        changed = book.write(
            connection,
            dispute,
            refund_amount=refund_amount,
            attachments=filename or dispute.attachments,
            updated_at=now(),
        )
        return changed, transaction

    def prove(self, connection: sqlite3.Connection, number: int, evidence: dict[str, Any]) -> Dispute:
        """The newest evidence stands. Errors: DisputeNotFound, DisputeAnswered."""
        dispute, _ = self._unanswered(connection, number, 0)
        at = now()
        written = json.dumps(evidence | {"id": dispute.id, "createdAt": instant(at), "updatedAt": instant(at)})
        return book.write(connection, dispute, evidence=written, updated_at=at)

    def answer(self, connection: sqlite3.Connection, number: int, answer: Answer) -> tuple[Dispute, Transaction]:
        """Accepted, it is settled; declined, it goes to the bank. Errors: DisputeNotFound, DisputeAnswered, RefundAboveAmount."""
        dispute, transaction = self._unanswered(connection, number, answer.refund_amount)
        at = now()
        answered = book.write(
            connection,
            dispute,
            answer=answer.words,
            refund_amount=answer.refund_amount,
            attachments=answer.filename,
            updated_at=at,
        )
        if answer.resolution == "merchant-accepted":
            return self._settle(connection, answered, transaction, answer.resolution)
        declined = book.write(
            connection,
            answered,
            status="awaiting-bank-feedback",
            resolution=answer.resolution,
            next_at=self._after(at, BANK_HOURS),
        )
        return declined, transaction

    def settle(
        self, connection: sqlite3.Connection, number: int, resolution: Resolution, order: Order
    ) -> tuple[Dispute, Transaction]:
        """As a script wants it. Errors: DisputeNotFound, DisputeIsOver."""
        return self._settle(connection, *self._open(connection, number), resolution, order)

    def remind(self, connection: sqlite3.Connection, number: int, order: Order = ONCE) -> tuple[Dispute, Transaction]:
        """Errors: DisputeNotFound, DisputeIsOver."""
        dispute, transaction = self._open(connection, number)
        at = now()
        next_at = min(self._after(at, REMIND_HOURS), dispute.due_at)
        reminded = book.write(connection, dispute, updated_at=max(at, dispute.updated_at + 1), next_at=next_at)
        self._tell(connection, "remind", reminded, transaction, order)
        return reminded, transaction

    def advance(self, connection: sqlite3.Connection, at: int) -> int | None:
        """Every dispute that is due is reminded of or ends. Answers when the next is due."""
        for dispute in book.due(connection, at, AT_ONCE):
            transaction = ledger.find_by_id(connection, dispute.transaction_id)
            if transaction is None:
                book.write(connection, dispute, next_at=None)
            elif dispute.status == "awaiting-bank-feedback":
                self._settle(connection, dispute, transaction, "declined")
            elif at >= dispute.due_at:
                self._settle(connection, dispute, transaction, "auto-accepted")
            else:
                self.remind(connection, dispute.id)
        return book.next_due(connection)

    def _after(self, at: int, hours: float) -> int:
        return at + int(hours * self._hour * 1000)

    def _unanswered(
        self, connection: sqlite3.Connection, number: int, refund_amount: int
    ) -> tuple[Dispute, Transaction]:
        dispute, transaction = found(connection, number)
        if dispute.status != "awaiting-merchant-feedback":
            raise DisputeAnswered
        if refund_amount > transaction.amount:
            raise RefundAboveAmount
        return dispute, transaction

    def _open(self, connection: sqlite3.Connection, number: int) -> tuple[Dispute, Transaction]:
        dispute, transaction = found(connection, number)
        if dispute.status == "resolved":
            raise DisputeIsOver
        return dispute, transaction

    def _settle(
        self,
        connection: sqlite3.Connection,
        dispute: Dispute,
        transaction: Transaction,
        resolution: Resolution,
        order: Order = ONCE,
    ) -> tuple[Dispute, Transaction]:
        at = now()
        settled = book.write(
            connection,
            dispute,
            status="resolved",
            resolution=resolution,
            resolved_at=at,
            updated_at=max(at, dispute.updated_at + 1),
            next_at=None,
        )
        if resolution != "declined":
            transaction = paid_back(connection, transaction, dispute.refund_amount, dispute.id)
        self._tell(connection, "resolve", settled, transaction, order)
        return settled, transaction

    def _tell(
        self, connection: sqlite3.Connection, kind: str, dispute: Dispute, transaction: Transaction, order: Order
    ) -> None:
        body = bodies.notice(kind, dispute, transaction)
        event = Event(f"charge.dispute.{kind}", transaction.reference, dispute.id, body)
        self._postbox.put(connection, event, order)


def found(connection: sqlite3.Connection, number: int) -> tuple[Dispute, Transaction]:
    """Errors: DisputeNotFound, also when its transaction is forgotten."""
    dispute = book.find(connection, number)
    transaction = ledger.find_by_id(connection, dispute.transaction_id) if dispute else None
    if dispute is None or transaction is None:
        raise DisputeNotFound
    return dispute, transaction
