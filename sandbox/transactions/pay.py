"""Attempts to pay by the payer or by a script."""

import sqlite3

from sandbox.errors import ControlReferenceNotFound, SessionExpired
from sandbox.state import State
from sandbox.timestamps import now
from sandbox.transactions import queries
from sandbox.transactions.charges import PaymentAttempt, apply_attempt
from sandbox.transactions.models import Transaction


async def charge(state: State, reference: str, attempt: PaymentAttempt) -> Transaction:
    """Apply an attempt to a transaction. A failed or abandoned transaction can still be paid.

    Raises ControlReferenceNotFound, SessionExpired, AlreadyPaid.
    """

    def job(connection: sqlite3.Connection) -> Transaction:
        transaction = queries.find(connection, reference)
        if transaction is None:
            raise ControlReferenceNotFound
        if transaction.expired(now()):
            raise SessionExpired
        return apply_attempt(connection, state.dispatcher, transaction, attempt)

    transaction = await state.store.run(job)
    if transaction.paid:
        state.sender.notify()
    return transaction
