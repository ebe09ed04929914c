"""Steps of a pending charge. The transaction changes with it; a payment or a rejected transfer queues its webhook."""

import sqlite3
from dataclasses import replace

from sandbox.controls import DEFAULT_DELIVERY, DeliveryOptions
from sandbox.enums import Channel, ChargeOutcome, PendingChargeStatus, TransferAccount
from sandbox.errors import AlreadyPaid, SessionExpired
from sandbox.pending_charges import bodies, offers, queries
from sandbox.pending_charges.errors import ChargeInProgress, NoPendingCharge
from sandbox.pending_charges.models import ChannelChoice, PendingCharge, Transfer
from sandbox.timestamps import now
from sandbox.transactions import queries as transaction_queries
from sandbox.transactions.charges import PaymentAttempt, apply_attempt
from sandbox.transactions.models import Transaction
from sandbox.webhooks.dispatcher import WebhookDispatcher, WebhookEvent

BATCH = 200
"""Maximum number of charges whose due step is carried out in one commit."""
WAITING_FOR_PAYER = (PendingChargeStatus.PAY_OFFLINE, PendingChargeStatus.SEND_OTP)
WRONG_AMOUNT = "incorrect amount sent"
ACCOUNT_CLOSED = "The account is closed"
REJECTED = "The payer rejected the payment"
WRONG_OTP = "Incorrect code"

Changed = tuple[PendingCharge, Transaction]


class PendingChargeLifecycle:
    """Carries out the steps of pending charges. All methods run in the store's thread."""

    def __init__(self, dispatcher: WebhookDispatcher) -> None:
        self._dispatcher = dispatcher

    def open(self, connection: sqlite3.Connection, transaction: Transaction, choice: ChannelChoice) -> Changed:
        """Open a charge, in place of an earlier one that the payer left. The new charge can outlive the payment session.

        Raises AlreadyPaid, SessionExpired, ChargeInProgress, and the errors of `offers.check_choice`.
        """
        if transaction.paid:
            raise AlreadyPaid
        if transaction.expired(now()):
            raise SessionExpired
        earlier = queries.find(connection, transaction.id)
        if earlier is not None and earlier.arriving_amount is not None:
            raise ChargeInProgress
        provider = offers.check_choice(transaction, choice)
        at, lifetime = now(), choice.lifetime_ms
        if lifetime is None:
            lifetime = offers.lifetime_of(choice.channel, transaction.currency)
        charge = PendingCharge(
            transaction_id=transaction.id,
            channel=choice.channel,
            provider=provider,
            phone=choice.phone,
            status=offers.first_status(transaction, choice.channel, provider),
            problem=None,
            opened_at=at,
            expires_at=at + lifetime,
            account_closed=0,
            arriving_amount=None,
            deliveries=None,
            delay_ms=None,
            next_step_at=at + lifetime,
        )
        transaction = self._attempt(connection, transaction, charge, ChargeOutcome.ONGOING)
        return queries.save(connection, charge), transaction

    def transfer(self, connection: sqlite3.Connection, transaction: Transaction, transfer: Transfer) -> Changed:
        """Send money to the account of the charge. Opens a charge if the payer has chosen no transfer.

        Raises the errors of `open`.
        """
        charge = self._find_active(connection, transaction)
        if charge is None or charge.channel != Channel.BANK_TRANSFER:
            charge, transaction = self.open(connection, transaction, ChannelChoice(Channel.BANK_TRANSFER))
        if transfer.account == TransferAccount.CLOSED:
            charge = replace(charge, account_closed=1)
        if transfer.account == TransferAccount.EXPIRED:
            charge = replace(charge, expires_at=now())
        amount = transaction.requested_amount if transfer.amount is None else transfer.amount
        return self._send(connection, transaction, charge, amount, transfer.after_ms, transfer.delivery)

    def approve(
        self,
        connection: sqlite3.Connection,
        transaction: Transaction,
        after_ms: int = 0,
        delivery: DeliveryOptions = DEFAULT_DELIVERY,
    ) -> Changed:
        """Approve a charge of USSD, QR or mobile money in place of the payer. A one-time code counts as entered correctly.

        Raises AlreadyPaid, ChargeInProgress, NoPendingCharge.
        """
        charge = self._waiting(connection, transaction, WAITING_FOR_PAYER)
        return self._send(connection, transaction, charge, transaction.requested_amount, after_ms, delivery)

    def submit_otp(self, connection: sqlite3.Connection, transaction: Transaction, otp: str) -> Changed:
        """Enter the one-time code. A wrong one ends the charge. Raises AlreadyPaid, ChargeInProgress, NoPendingCharge."""
        charge = self._waiting(connection, transaction, (PendingChargeStatus.SEND_OTP,))
        if otp != offers.TEST_OTP:
            return self._fail(connection, transaction, charge, WRONG_OTP)
        return self._send(connection, transaction, charge, transaction.requested_amount, 0, DEFAULT_DELIVERY)

    def reject(self, connection: sqlite3.Connection, transaction: Transaction) -> Changed:
        """Reject a charge in place of the payer. Raises AlreadyPaid, ChargeInProgress, NoPendingCharge."""
        charge = self._waiting(connection, transaction, WAITING_FOR_PAYER)
        return self._fail(connection, transaction, charge, REJECTED)

    def leave(self, connection: sqlite3.Connection, transaction: Transaction) -> Transaction:
        """Forget a charge that the payer left, so that another channel can be chosen. Money that was sent is not forgotten."""
        charge = queries.find(connection, transaction.id)
        if transaction.paid or charge is None or charge.arriving_amount is not None:
            return transaction
        queries.delete(connection, transaction.id)
        return self._attempt(connection, transaction, charge, ChargeOutcome.ABANDONED) if charge.active else transaction

    def advance(self, connection: sqlite3.Connection, at: int) -> int | None:
        """Carry out the steps that are due (job of the scheduler)."""
        for charge in queries.list_due(connection, at, BATCH):
            transaction = transaction_queries.find_by_id(connection, charge.transaction_id)
            if transaction is None:
                queries.delete(connection, charge.transaction_id)
            elif charge.arriving_amount is not None:
                self._arrive(connection, transaction, charge, charge.arriving_amount)
            else:
                self._expire(connection, transaction, charge)
        return queries.next_due_at(connection)

    def _find_active(self, connection: sqlite3.Connection, transaction: Transaction) -> PendingCharge | None:
        """Return the charge that the payer can still act on. Raises AlreadyPaid, ChargeInProgress."""
        if transaction.paid:
            raise AlreadyPaid
        charge = queries.find(connection, transaction.id)
        if charge is not None and charge.arriving_amount is not None:
            raise ChargeInProgress
        return charge if charge is not None and charge.active else None

    def _waiting(
        self, connection: sqlite3.Connection, transaction: Transaction, statuses: tuple[PendingChargeStatus, ...]
    ) -> PendingCharge:
        charge = self._find_active(connection, transaction)
        if charge is None or charge.status not in statuses:
            raise NoPendingCharge
        return charge

    def _send(
        self,
        connection: sqlite3.Connection,
        transaction: Transaction,
        charge: PendingCharge,
        amount: int,
        after_ms: int,
        delivery: DeliveryOptions,
    ) -> Changed:
        charge = replace(charge, problem=None, deliveries=delivery.deliveries, delay_ms=delivery.delay_ms)
        if after_ms == 0:
            return self._arrive(connection, transaction, charge, amount)
        sent = replace(
            charge, status=PendingChargeStatus.PENDING, arriving_amount=amount, next_step_at=now() + after_ms
        )
        transaction = self._attempt(connection, transaction, sent, ChargeOutcome.PENDING)
        return queries.save(connection, sent), transaction

    def _arrive(
        self, connection: sqlite3.Connection, transaction: Transaction, charge: PendingCharge, amount: int
    ) -> Changed:
        """Credit the money. The sender gets back money that arrives at a closed or expired account, with another amount, or after the
        transaction was paid in another way."""
        charge = replace(charge, arriving_amount=None)
        if transaction.paid:
            return self._finish(connection, charge, PendingChargeStatus.SUCCESS), transaction
        if charge.account_closed:
            return self._fail(connection, transaction, charge, ACCOUNT_CLOSED)
        if charge.channel == Channel.BANK_TRANSFER and charge.expires_at <= now():
            return self._expire(connection, transaction, charge)
        if amount != transaction.requested_amount:
            return self._reject_transfer(connection, transaction, charge, amount)
        transaction = self._attempt(connection, transaction, charge, ChargeOutcome.SUCCESS)
        return self._finish(connection, charge, PendingChargeStatus.SUCCESS), transaction

    def _reject_transfer(
        self, connection: sqlite3.Connection, transaction: Transaction, charge: PendingCharge, amount: int
    ) -> Changed:
        """Return a transfer with a wrong amount to its sender, and report it. The payer can send another transfer."""
        body = bodies.transfer_rejected_body(transaction, amount, WRONG_AMOUNT)
        event = WebhookEvent("bank.transfer.rejected", transaction.reference, transaction.id, body)
        self._dispatcher.dispatch(connection, event, charge.delivery)
        transaction = self._attempt(connection, transaction, charge, ChargeOutcome.ONGOING)
        waiting = replace(charge, problem=WRONG_AMOUNT, next_step_at=charge.expires_at)
        return queries.save(connection, waiting), transaction

    def _fail(
        self, connection: sqlite3.Connection, transaction: Transaction, charge: PendingCharge, problem: str
    ) -> Changed:
        transaction = self._attempt(connection, transaction, charge, ChargeOutcome.FAILED, problem)
        failed = replace(charge, problem=problem)
        return self._finish(connection, failed, PendingChargeStatus.FAILED), transaction

    def _expire(self, connection: sqlite3.Connection, transaction: Transaction, charge: PendingCharge) -> Changed:
        if transaction.paid:
            return self._finish(connection, charge, PendingChargeStatus.SUCCESS), transaction
        transaction = self._attempt(connection, transaction, charge, ChargeOutcome.ABANDONED)
        return self._finish(connection, charge, PendingChargeStatus.TIMEOUT), transaction

    def _finish(
        self, connection: sqlite3.Connection, charge: PendingCharge, status: PendingChargeStatus
    ) -> PendingCharge:
        return queries.save(connection, replace(charge, status=status, arriving_amount=None, next_step_at=None))

    def _attempt(
        self,
        connection: sqlite3.Connection,
        transaction: Transaction,
        charge: PendingCharge,
        outcome: ChargeOutcome,
        problem: str | None = None,
    ) -> Transaction:
        attempt = PaymentAttempt(
            outcome, delivery=charge.delivery, channel=charge.channel, gateway_response=problem, ip_address="127.0.0.1"
        )
        return apply_attempt(connection, self._dispatcher, transaction, attempt)
