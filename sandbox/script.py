"""For scripts and tests: be the payer, send any webhook, watch the deliveries, make bad weather. Local use only."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query
from pydantic import Field, field_validator, model_validator

from sandbox.door.weather import Weather
from sandbox.errors import NowhereToSend, UnknownReference
from sandbox.integration import Merchant
from sandbox.orders import Delay, Deliveries, Raising, Strict, Subunits
from sandbox.transactions import bodies, ledger
from sandbox.transactions.cards import CARDS, CardName
from sandbox.transactions.channels import Channel
from sandbox.transactions.charges import Charge, Outcome, charge
from sandbox.transactions.notices import Shape
from sandbox.webhooks import queue
from sandbox.wire import Answer, compact, succeeded

router = APIRouter(prefix="/sandbox", tags=["Script"])


class Payment(Raising):
    """What the payer does. Amount, currency, fees and domain change what is reported, not what was asked."""

    outcome: Outcome | None = Field(None, description="That of the card, when left out; its questions are answered.")
    card: CardName = Field("success", description="One of Paystack's test cards.")
    amount: Subunits | None = Field(None, description="As asked, when left out.")
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$", description="As asked, when left out.")
    fees: Subunits | None = Field(None, description="Those of the tariff, when left out; null: not known.")
    domain: Literal["test", "live"] | None = Field(None, description="That of the secret key, when left out.")
    channel: Channel = "card"
    shape: Shape | None = Field(None, description="Of the webhook, for cards: another than the usual.")

    @model_validator(mode="after")
    def _of_a_card(self) -> Self:
        if self.shape is not None and self.channel != "card":
            raise ValueError("shape belongs to the channel card")
        if self.outcome == "success" and CARDS[self.card].refusal:
            raise ValueError("this card is never charged")
        return self

    def overrides(self) -> dict[str, Any]:
        reported = self.model_dump(include={"amount", "currency", "domain"}, exclude_none=True)
        return reported | ({"fees": self.fees} if "fees" in self.model_fields_set else {})


class Webhook(Strict):
    event: str = Field(pattern=r"^[!-~]{1,100}$")
    data: dict[str, Any] | list[Any]
    signature: Literal["valid", "none", "wrong"] = "valid"
    deliveries: Deliveries = 1
    delay_ms: Delay = 0

    @field_validator("data")
    @classmethod
    def _can_be_json(cls, value: Any) -> Any:
        try:
            compact(value)
        except RecursionError as error:
            raise ValueError("is nested too deeply") from error
        return value


@router.post("/transactions/{reference}/pay")
async def pay(reference: str, merchant: Merchant, payment: Payment | None = None) -> Answer:
    """Act as the payer. Answers the transaction as verify shows it. Only a success raises a webhook."""
    payment = payment or Payment()
    card = CARDS[payment.card]
    attempt = Charge(
        payment.outcome or ("failed" if card.refusal else "success"),
        card,
        ip_address="127.0.0.1",
        overrides=payment.overrides(),
        order=payment.order,
        channel=payment.channel,
        shape=payment.shape,
    )
    return succeeded("Payment attempted", bodies.verified(await charge(merchant, reference, attempt)))


@router.get("/transactions/{reference}")
async def transaction(reference: str, merchant: Merchant) -> Answer:
    """A transaction as verify shows it, and its webhooks with every attempt to deliver them."""
    found, sent = await merchant.store.run(
        lambda connection: (ledger.find(connection, reference), queue.of(connection, reference))
    )
    if found is None:
        raise UnknownReference
    return succeeded("Transaction retrieved", bodies.verified(found) | {"webhooks": sent})


@router.post("/webhooks")
async def send_webhook(webhook: Webhook, merchant: Merchant) -> Answer:
    """Send any event, about any reference, through the same retrying queue. Answers the ids of its deliveries."""
    if merchant.settings.webhook_url is None:
        raise NowhereToSend
    body = compact({"event": webhook.event, "data": webhook.data})
    key = merchant.settings.key
    signed = {
        "valid": queue.signature(key, body),
        "wrong": queue.signature(b"not " + key, body),
        "none": None,
    }[webhook.signature]
    reference = webhook.data.get("reference") if isinstance(webhook.data, dict) else None
    reference = reference if isinstance(reference, str) and reference.isascii() else None
    number = webhook.data.get("id") if isinstance(webhook.data, dict) else None
    about = number if isinstance(number, int) and 0 <= number < 2**63 else None
    letter = queue.Letter(webhook.event, reference, about, body, signed)
    ids = await merchant.store.run(
        lambda connection: queue.enqueue(connection, letter, webhook.deliveries, webhook.delay_ms)
    )
    merchant.courier.wake()
    return succeeded("Webhook queued", {"ids": ids})


@router.get("/webhooks")
async def list_webhooks(merchant: Merchant, state: Annotated[queue.State | None, Query()] = None) -> Answer:
    """How many webhooks are pending, delivered, given up and lost, and the latest 50 (of one state, when given)."""
    counts, latest = await merchant.store.run(
        lambda connection: (queue.counts(connection), queue.latest(connection, state))
    )
    return succeeded("Webhooks retrieved", counts | {"webhooks": latest})


@router.put("/faults")
async def set_weather(weather: Weather, merchant: Merchant) -> Answer:
    """Replace the weather; what is left out is fair.

    `timeout_after_store` and `reset` carry the call out and lose its answer; `wrong_…` at verify carry it out and lie;
    the others refuse it untouched.
    """
    merchant.faults.set(weather)
    return succeeded("Weather set", weather.model_dump())


@router.get("/faults")
async def weather(merchant: Merchant) -> Answer:
    return succeeded("Weather", merchant.faults.weather.model_dump())


@router.delete("/faults")
async def clear_weather(merchant: Merchant) -> Answer:
    """Fair weather again."""
    merchant.faults.set(Weather())
    return succeeded("Weather cleared", Weather().model_dump())
