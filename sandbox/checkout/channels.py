"""Channels other than card on the checkout page: their buttons, and the page of a charge that waits for the payer or for the bank."""

import sqlite3
from hashlib import blake2b

from starlette.responses import Response

from sandbox.checkout.forms import CheckoutForm
from sandbox.checkout.pages import render_page
from sandbox.enums import Channel, CheckoutAction, PendingChargeStatus, TransferAccount, TransferScenario
from sandbox.errors import AlreadyPaid, SessionExpired
from sandbox.pending_charges import offers, queries
from sandbox.pending_charges.errors import (
    BelowTransferMinimum,
    ChannelNotAvailable,
    ChargeInProgress,
    NoPendingCharge,
    ProviderNotAvailable,
)
from sandbox.pending_charges.models import ChannelChoice, PendingCharge, Transfer
from sandbox.state import State
from sandbox.timestamps import now
from sandbox.transactions import queries as transaction_queries
from sandbox.transactions.models import Transaction

CHANNEL_ACTIONS = frozenset(
    {
        CheckoutAction.CHOOSE,
        CheckoutAction.CHANGE,
        CheckoutAction.TRANSFER,
        CheckoutAction.APPROVE,
        CheckoutAction.APPROVE_SLOW,
        CheckoutAction.REJECT,
        CheckoutAction.SEND_CODE,
    }
)
SLOW_MS = 15_000
"""How long the slow bank or network of the page takes."""
QUICK_REFRESH, SLOW_REFRESH = 2, 5
"""Seconds after which the page loads itself again: while money is on its way, and while the payer has to act."""
TITLES = {
    Channel.BANK_TRANSFER: "Pay by bank transfer",
    Channel.USSD: "Pay with USSD",
    Channel.QR: "Pay with a QR code",
    Channel.MOBILE_MONEY: "Pay with mobile money",
}
QR_SIZE = 15
# Errors of a button on a page that was loaded before the transaction changed. The payer then sees the current page.
OUTDATED = (
    AlreadyPaid,
    SessionExpired,
    ChargeInProgress,
    NoPendingCharge,
    ChannelNotAvailable,
    ProviderNotAvailable,
    BelowTransferMinimum,
)


async def handle_button(state: State, access_code: str, form: CheckoutForm) -> None:
    """Do what a button requests. A button of an outdated page changes nothing."""

    def job(connection: sqlite3.Connection) -> None:
        transaction = transaction_queries.find_by_access_code(connection, access_code)
        if transaction is not None:
            _carry_out(state, connection, transaction, form)

    try:
        await state.store.run(job)
    except OUTDATED:
        return
    state.notify()


def _carry_out(state: State, connection: sqlite3.Connection, transaction: Transaction, form: CheckoutForm) -> None:
    charges = state.pending_charges
    match form.action:
        case CheckoutAction.CHOOSE:
            charges.open(connection, transaction, ChannelChoice(form.channel, form.provider, form.phone))
        case CheckoutAction.TRANSFER:
            charges.transfer(connection, transaction, _transfer(transaction, form.scenario))
        case CheckoutAction.APPROVE:
            charges.approve(connection, transaction)
        case CheckoutAction.APPROVE_SLOW:
            charges.approve(connection, transaction, SLOW_MS)
        case CheckoutAction.REJECT:
            charges.reject(connection, transaction)
        case CheckoutAction.SEND_CODE:
            charges.submit_otp(connection, transaction, form.answer.strip())
        case _:
            charges.leave(connection, transaction)


def _transfer(transaction: Transaction, scenario: TransferScenario) -> Transfer:
    transfers = {
        TransferScenario.AT_ONCE: Transfer(),
        TransferScenario.SLOW: Transfer(after_ms=SLOW_MS),
        TransferScenario.TOO_LITTLE: Transfer(transaction.requested_amount // 2),
        TransferScenario.TOO_MUCH: Transfer(transaction.requested_amount * 2),
        TransferScenario.CLOSED: Transfer(account=TransferAccount.CLOSED),
        TransferScenario.EXPIRED: Transfer(account=TransferAccount.EXPIRED),
    }
    return transfers[scenario]


async def find_charge(state: State, transaction: Transaction) -> PendingCharge | None:
    return await state.store.run(lambda connection: queries.find(connection, transaction.id))


async def leave_charge(state: State, transaction: Transaction) -> Transaction:
    """Forget the pending charge of a payer who pays by card or cancels."""
    return await state.store.run(lambda connection: state.pending_charges.leave(connection, transaction))


def problem_of(charge: PendingCharge | None) -> str | None:
    """Return why a finished charge did not pay, for the page that offers the channels again."""
    if charge is None or charge.active:
        return None
    return "The time to pay is over" if charge.status == PendingChargeStatus.TIMEOUT else charge.problem


def charge_page(transaction: Transaction, charge: PendingCharge, shop: str) -> Response:
    """Return the page of an active charge. It loads itself again, except while the payer enters a code."""
    arriving = charge.arriving_amount is not None
    asks = charge.status == PendingChargeStatus.SEND_OTP
    return render_page(
        "charge.html",
        transaction=transaction,
        shop=shop,
        charge=charge,
        title=TITLES[charge.channel],
        arriving=arriving,
        asks=asks,
        refresh=None if asks else QUICK_REFRESH if arriving else SLOW_REFRESH,
        text=offers.display_text(transaction, charge),
        account_number=offers.account_number(transaction),
        bank=offers.BANK,
        receiver=shop,
        code=offers.ussd_code(transaction, charge) if charge.channel == Channel.USSD else None,
        network=_provider_name(transaction, charge),
        squares=_squares(transaction),
        size=QR_SIZE,
        time_left=_format_duration(charge.expires_at - now()),
        slow_seconds=SLOW_MS // 1000,
        otp=offers.TEST_OTP,
    )


def _provider_name(transaction: Transaction, charge: PendingCharge) -> str:
    provider = offers.providers_of(transaction, charge.channel).get(charge.provider or "")
    return provider.name if provider else ""


def _format_duration(milliseconds: int) -> str:
    minutes, seconds = divmod(max(milliseconds, 0) // 1000, 60)
    return f"{minutes} min {seconds:02d} s"


def _squares(transaction: Transaction) -> list[tuple[int, int]]:
    """Return the dark squares of the emulated QR code. It is a pattern, and no scanner reads it."""
    bits = int.from_bytes(blake2b(transaction.access_code.encode(), digest_size=QR_SIZE * QR_SIZE // 8 + 1).digest())
    return [(number % QR_SIZE, number // QR_SIZE) for number in range(QR_SIZE * QR_SIZE) if bits >> number & 1]
