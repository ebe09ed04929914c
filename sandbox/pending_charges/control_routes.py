"""Control routes of the channels other than card: choose one, send a transfer, and approve or reject, in place of the payer."""

import sqlite3
from collections.abc import Callable

from fastapi import APIRouter
from pydantic import Field

from sandbox.controls import Delay, DeliveryControls, StrictModel, Subunits
from sandbox.enums import Channel, TransferAccount
from sandbox.errors import ControlReferenceNotFound
from sandbox.pending_charges import bodies
from sandbox.pending_charges.lifecycle import Changed
from sandbox.pending_charges.models import ChannelChoice, Transfer
from sandbox.responses import ApiResponse, success
from sandbox.state import CurrentState, State
from sandbox.transactions import queries
from sandbox.transactions.models import Transaction

router = APIRouter(prefix="/sandbox", tags=["Sandbox controls"])


class Choice(StrictModel):
    channel: Channel = Field(strict=False, description="bank_transfer, ussd, qr or mobile_money.")
    provider: str | None = Field(
        None, max_length=20, description="Mobile network, or code of the bank. Omitted: the first one of the channel."
    )
    phone: str | None = Field(None, max_length=20, description="Phone number of the payer, for mobile money.")
    lifetime_ms: int | None = Field(
        None,
        ge=0,
        le=8 * 3_600_000,
        description="Milliseconds until the charge expires. Omitted: the usual time for the channel.",
    )


class TransferRequest(DeliveryControls):
    amount: Subunits | None = Field(
        None, description="Sent amount. Omitted: the requested amount. Another one is rejected."
    )
    after_ms: Delay = Field(0, description="Milliseconds that the payer's bank takes.")
    account: TransferAccount = Field(
        TransferAccount.OPEN,
        strict=False,
        description="closed, expired: the account is closed or expired when the transfer arrives.",
    )


class Approval(DeliveryControls):
    approved: bool = Field(True, description="false: the payer rejects the payment.")
    after_ms: Delay = Field(0, description="Milliseconds that the bank or the network takes after the approval.")


async def _change(
    state: State, reference: str, message: str, step: Callable[[sqlite3.Connection, Transaction], Changed]
) -> ApiResponse:
    def job(connection: sqlite3.Connection) -> Changed:
        transaction = queries.find(connection, reference)
        if transaction is None:
            raise ControlReferenceNotFound
        return step(connection, transaction)

    charge, transaction = await state.store.run(job)
    state.notify()
    return success(message, bodies.control_body(transaction, charge))


@router.post("/transactions/{reference}/channel")
async def choose_channel(reference: str, choice: Choice, state: CurrentState) -> ApiResponse:
    """Choose a channel, as the payer does on the checkout page. The transaction is then `ongoing`."""
    chosen = ChannelChoice(choice.channel, choice.provider, choice.phone, choice.lifetime_ms)
    return await _change(
        state,
        reference,
        "Channel chosen",
        lambda connection, transaction: state.pending_charges.open(connection, transaction, chosen),
    )


@router.post("/transactions/{reference}/transfer")
async def send_transfer(reference: str, state: CurrentState, request: TransferRequest | None = None) -> ApiResponse:
    """Send a bank transfer from the payer's bank. Also chooses the channel, if the payer has not chosen it.

    Until it arrives, the transaction is `pending`. A wrong amount sends the webhook bank.transfer.rejected.
    """
    request = request or TransferRequest()
    transfer = Transfer(request.amount, request.after_ms, request.account, request.delivery)
    return await _change(
        state,
        reference,
        "Transfer sent",
        lambda connection, transaction: state.pending_charges.transfer(connection, transaction, transfer),
    )


@router.post("/transactions/{reference}/approve")
async def approve(reference: str, state: CurrentState, approval: Approval | None = None) -> ApiResponse:
    """Approve or reject a charge of USSD, QR or mobile money on the payer's phone. A one-time code counts as entered."""
    approval = approval or Approval()
    lifecycle = state.pending_charges

    def step(connection: sqlite3.Connection, transaction: Transaction) -> Changed:
        if not approval.approved:
            return lifecycle.reject(connection, transaction)
        return lifecycle.approve(connection, transaction, approval.after_ms, approval.delivery)

    return await _change(state, reference, "Approved" if approval.approved else "Rejected", step)
