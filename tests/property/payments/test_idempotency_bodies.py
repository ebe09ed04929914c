"""A stored response is returned unchanged, whatever Paystack's texts in it are; equal requests, and only they, have equal fingerprints."""

from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from kit.idempotency import keys
from kit.idempotency.keys import IdempotentRequest
from services.payments.db import sessions
from services.payments.models import IdempotencyKey
from services.payments.paystack.parsing import parse_text
from services.payments.refunds.schemas import RefundView, RequestRefund
from services.payments.schemas import PaymentView

TEXTS = st.text(st.characters(codec=None), max_size=30).map(lambda text: parse_text(text, 20))
REASONS = st.none() | st.text("ab\u00e9\U0001f4a5", min_size=1, max_size=3)
REFUNDS = st.fixed_dictionaries({"amount": st.integers(1, 10**9), "reason": REASONS})


def example_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the example of a model in the OpenAPI document."""
    (example,) = model.model_json_schema()["examples"]
    return dict(example)


PAYMENT, REFUND = example_of(PaymentView), example_of(RefundView)


@given(TEXTS, TEXTS, st.integers(0, 2**63 - 1), st.text('ab\u00e9\U0001f4a5"\\\\', max_size=5))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_stored_responses_are_returned_unchanged(
    payments_database: None, first: str | None, second: str | None, amount: int, reason: str
) -> None:
    views = [
        PaymentView.model_validate(PAYMENT | {"gateway_response": first, "channel": second, "paid_amount": amount}),
        RefundView.model_validate(REFUND | {"error": first, "reason": reason, "amount": amount}),
    ]
    for view in views:
        request = IdempotentRequest.of("caller", "POST /x", uuid4().hex, view)
        assert request is not None
        async with sessions.begin() as session:
            assert await keys.begin(session, IdempotencyKey, request) is None
            await keys.store_response(session, IdempotencyKey, request, 202, view)
        async with sessions.begin() as session:
            stored = await keys.begin(session, IdempotencyKey, request)
        assert stored is not None
        assert (stored.status, type(view).model_validate(stored.body)) == (202, view)


@given(REFUNDS, REFUNDS)
def test_fingerprints_are_equal_if_and_only_if_the_requests_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = RequestRefund.model_validate(one), RequestRefund.model_validate(dict(reversed(other.items())))
    fingerprints = [IdempotentRequest.of("c", "o", "k", request) for request in (first, second)]
    assert (fingerprints[0] == fingerprints[1]) == (first == second)
