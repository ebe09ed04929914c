"""What a script may have go wrong."""

from typing import Annotated, Literal

from pydantic import Field

from sandbox.orders import Delay, Deliveries, Strict, Times

Mode = Literal[
    "none", "timeout_after_store", "timeout_before", "error_500", "error_401", "html_200", "reset", "rate_limited"
]
Lie = Literal["wrong_status", "wrong_reference", "wrong_amount", "wrong_currency", "wrong_domain"]
VerifyMode = Mode | Lie | Literal["not_found"]


LATENCY = 60_000
"""Milliseconds."""
Latency = Annotated[int, Field(ge=0, le=LATENCY, description="Milliseconds that the call takes longer.")]


class CallFault(Strict):
    mode: Mode = "none"
    latency_ms: Latency = 0
    times: Times = None


class VerifyFault(Strict):
    mode: VerifyMode = "none"
    latency_ms: Latency = 0
    times: Times = None


class WebhookWeather(Strict):
    """How webhooks travel, unless the order that raises one says otherwise."""

    deliveries: Deliveries = 1
    delay_ms: Delay = 0
    again_after_ms: int | None = Field(
        None, ge=0, le=3_600_000, description="Sent once more after that time, as from the dashboard."
    )
    reverse_ms: int = Field(
        0, ge=0, le=60_000, description="Those raised within that time are sent in reverse order, after it."
    )


class Weather(Strict):
    initialize: CallFault = CallFault()
    verify: VerifyFault = VerifyFault()
    refund: CallFault = Field(CallFault(), description="POST /refund, and the retry of one.")
    refunds: CallFault = Field(CallFault(), description="GET /refund and GET /refund/{id}.")
    events: CallFault = Field(CallFault(), description="GET of the webhook events.")
    others: CallFault = Field(CallFault(), description="Every other call of Paystack's own API.")
    webhooks: WebhookWeather = WebhookWeather()
    saved_cards: Literal["charged", "declined", "paused"] = Field(
        "charged",
        description="What becomes of a charged authorization; paused: its owner must go to the checkout page.",
    )
    latency_ms: int = Field(0, ge=0, le=LATENCY, description="Added to every answer of Paystack's own API.")
    rate_limit: int | None = Field(None, ge=1, le=1_000_000, description="Calls in 60 s; none: no limit.")

    def fault(self, operation: str) -> tuple[str, CallFault | VerifyFault]:
        """The fault that a call meets, by the name of its route; with the name under which it is counted."""
        faults: dict[str, CallFault | VerifyFault] = {
            "initialize": self.initialize,
            "verify": self.verify,
            "refund": self.refund,
            "refunds": self.refunds,
            "events": self.events,
        }
        return (operation, faults[operation]) if operation in faults else ("others", self.others)
