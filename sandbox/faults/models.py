"""Body of PUT /sandbox/faults."""

from typing import Annotated

from pydantic import Field

from sandbox.controls import Delay, Deliveries, StrictModel
from sandbox.enums import CallFaultMode, SavedCardOutcome, VerifyFaultMode

LATENCY_LIMIT = 60_000
"""Milliseconds."""
Latency = Annotated[int, Field(ge=0, le=LATENCY_LIMIT, description="Milliseconds added to the response time.")]
Times = Annotated[
    int | None, Field(ge=1, le=1_000_000, description="Number of calls that the fault affects. Omitted: all of them.")
]


class CallFault(StrictModel):
    mode: CallFaultMode = Field(CallFaultMode.NONE, strict=False)
    latency_ms: Latency = 0
    times: Times = None


class VerifyFault(StrictModel):
    mode: VerifyFaultMode = Field(VerifyFaultMode.NONE, strict=False)
    latency_ms: Latency = 0
    times: Times = None


class WebhookFaults(StrictModel):
    """How webhooks are delivered. A control call that causes a webhook can override `deliveries` and `delay_ms`."""

    deliveries: Deliveries = 1
    delay_ms: Delay = 0
    again_after_ms: int | None = Field(
        None,
        ge=0,
        le=3_600_000,
        description="Milliseconds after which every webhook is sent once more, like a resend from Paystack's dashboard.",
    )
    reverse_ms: int = Field(
        0,
        ge=0,
        le=60_000,
        description="Milliseconds for which webhooks are collected before they are sent in reverse order.",
    )


class Faults(StrictModel):
    initialize: CallFault = CallFault()
    verify: VerifyFault = VerifyFault()
    refund_writes: CallFault = Field(CallFault(), description="POST /refund and the retry of a refund.")
    refund_reads: CallFault = Field(CallFault(), description="GET /refund and GET /refund/{id}.")
    events: CallFault = Field(CallFault(), description="GET calls of the Webhook Events API.")
    others: CallFault = Field(CallFault(), description="All other calls of Paystack's API.")
    webhooks: WebhookFaults = WebhookFaults()
    saved_cards: SavedCardOutcome = Field(
        SavedCardOutcome.CHARGED,
        strict=False,
        description="Result of charging a saved card. paused: the payer must go to the checkout page.",
    )
    saved_card_balance: int | None = Field(
        None,
        ge=0,
        le=10**15,
        description="Subunits on the account of every saved card: partial_debit charges no more than that, and a charge of more is "
        "declined. null: enough.",
    )
    insufficient_balance: bool = Field(
        False,
        description="Refuse POST /refund as if the merchant's balance were too low. Paystack publishes neither code nor message of this "
        "refusal: both are the sandbox's own, and say so.",
    )
    latency_ms: int = Field(
        0, ge=0, le=LATENCY_LIMIT, description="Milliseconds added to every response of Paystack's API."
    )
    rate_limit: int | None = Field(
        None, ge=1, le=1_000_000, description="Number of calls per 60 s; further calls get 429. null: no limit."
    )

    def fault_for(self, route_name: str) -> tuple[str, CallFault | VerifyFault]:
        """Return the fault of a route, and the name under which its calls are counted."""
        faults: dict[str, CallFault | VerifyFault] = {
            "initialize": self.initialize,
            "verify": self.verify,
            "refund_writes": self.refund_writes,
            "refund_reads": self.refund_reads,
            "events": self.events,
        }
        return (route_name, faults[route_name]) if route_name in faults else ("others", self.others)
