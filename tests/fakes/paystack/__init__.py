"""A stateful Paystack in memory. It imports nothing of the services: a client of Paystack uses it as its HTTP transport."""

from tests.fakes.paystack.bodies import (
    SECRET_KEY,
    Json,
    authorization,
    charge,
    charge_success,
    dispute,
    dispute_event,
    refund_event,
    sign,
    transaction_id,
    transfer_rejected,
    webhook_body,
)
from tests.fakes.paystack.faults import Faults, Hold, refusal, response, success
from tests.fakes.paystack.rate_limits import Clock, RateLimits
from tests.fakes.paystack.server import Call, FakePaystack, SignedWebhook
from tests.fakes.paystack.state import OPEN_REFUNDS, State, Transaction

__all__ = [
    "OPEN_REFUNDS",
    "SECRET_KEY",
    "Call",
    "Clock",
    "FakePaystack",
    "Faults",
    "Hold",
    "Json",
    "RateLimits",
    "SignedWebhook",
    "State",
    "Transaction",
    "authorization",
    "charge",
    "charge_success",
    "dispute",
    "dispute_event",
    "refund_event",
    "refusal",
    "response",
    "sign",
    "success",
    "transaction_id",
    "transfer_rejected",
    "webhook_body",
]
