"""Control routes of the transactions: pay in place of the payer, and show a transaction with its webhooks."""

from typing import Self

from fastapi import APIRouter
from pydantic import Field, model_validator

from sandbox.controls import DeliveryControls, Subunits
from sandbox.enums import CardName, Channel, ChargeOutcome, Domain, WebhookShape
from sandbox.errors import ControlReferenceNotFound
from sandbox.responses import ApiResponse, success
from sandbox.state import CurrentState
from sandbox.transactions import bodies, queries
from sandbox.transactions.cards import CARDS
from sandbox.transactions.charges import PaymentAttempt, ReportedValues
from sandbox.transactions.pay import charge
from sandbox.webhooks import queue

router = APIRouter(prefix="/sandbox", tags=["Sandbox controls"])


class Payment(DeliveryControls):
    """An attempt to pay. `amount`, `currency`, `fees` and `domain` change the reported values, not the requested ones."""

    outcome: ChargeOutcome | None = Field(
        None, strict=False, description="Omitted: the outcome of the card. Its questions count as answered correctly."
    )
    card: CardName = Field(CardName.SUCCESS, strict=False, description="One of Paystack's test cards.")
    amount: Subunits | None = Field(None, description="Reported amount. Omitted: the requested amount.")
    currency: str | None = Field(
        None, pattern=r"^[A-Z]{3}$", description="Reported currency. Omitted: the requested currency."
    )
    fees: Subunits | None = Field(
        None,
        description="Reported fees. Omitted: the fees of the tariff (`pos` and `ussd`: not known). null: not known.",
    )
    domain: Domain | None = Field(
        None, strict=False, description="Reported domain. Omitted: the domain of the secret key."
    )
    channel: Channel = Field(Channel.CARD, strict=False)
    shape: WebhookShape | None = Field(
        None, strict=False, description="Shape of the webhook of a card payment. Omitted: the usual shape."
    )

    @model_validator(mode="after")
    def _check_card(self) -> Self:
        if self.shape is not None and self.channel != Channel.CARD:
            raise ValueError("shape can be set only with the channel card")
        if self.outcome == ChargeOutcome.SUCCESS and CARDS[self.card].decline_message:
            raise ValueError("the outcome cannot be success: this card is always declined")
        return self

    def reported_values(self) -> ReportedValues:
        """Return the values in the body that replace the requested ones."""
        reported: ReportedValues = {}
        if self.amount is not None:
            reported["amount"] = self.amount
        if self.currency is not None:
            reported["currency"] = self.currency
        if self.domain is not None:
            reported["domain"] = self.domain
        if "fees" in self.model_fields_set:
            reported["fees"] = self.fees
        return reported


@router.post("/transactions/{reference}/pay", operation_id="payTransaction")
async def pay(reference: str, state: CurrentState, payment: Payment | None = None) -> ApiResponse:
    """Pay in place of the payer. Returns the transaction as verify shows it. Only a success sends a webhook."""
    payment = payment or Payment()
    card = CARDS[payment.card]
    card_outcome = ChargeOutcome.FAILED if card.decline_message else ChargeOutcome.SUCCESS
    attempt = PaymentAttempt(
        payment.outcome or card_outcome,
        card,
        ip_address="127.0.0.1",
        reported=payment.reported_values(),
        delivery=payment.delivery,
        channel=payment.channel,
        shape=payment.shape,
    )
    return success("Payment attempted", bodies.verified_body(await charge(state, reference, attempt)))


@router.get("/transactions/{reference}")
async def show_transaction(reference: str, state: CurrentState) -> ApiResponse:
    """Show a transaction as verify does, with its webhooks and all attempts to deliver them."""
    transaction, webhooks = await state.store.run(
        lambda connection: (queries.find(connection, reference), queue.list_by_reference(connection, reference))
    )
    if transaction is None:
        raise ControlReferenceNotFound
    return success("Transaction retrieved", bodies.verified_body(transaction) | {"webhooks": webhooks})
