"""The form of the checkout page."""

from pydantic import BaseModel, Field

from sandbox.enums import CardName, Channel, CheckoutAction, TransferScenario


class CheckoutForm(BaseModel):
    """The button that was pressed, with the fields of its form."""

    action: CheckoutAction
    card: CardName = CardName.SUCCESS
    question_index: int = Field(0, ge=0, le=9)
    """Index of the card's question that `answer` belongs to."""
    answer: str = Field("", max_length=100)
    """Answer to a question of the card, or the one-time code of mobile money."""
    channel: Channel = Channel.BANK_TRANSFER
    provider: str | None = Field(None, max_length=20)
    phone: str | None = Field(None, max_length=20)
    scenario: TransferScenario = TransferScenario.AT_ONCE
