"""A refund with `expected_status` is refused if the payment has another status: another operator was faster."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from tests.factories.payments import create_payment
from tests.fixtures.payments_rows import execute


async def test_refund_of_all_when_another_operator_accepts_the_payment_at_the_same_moment_then_one_of_both_is_refused(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    async def decide(reference: str, path: str, **body: Any) -> httpx.Response:
        headers = {**operator, "Idempotency-Key": uuid4().hex}
        return await client.post(f"/payments/{reference}/{path}", json={"reason": "mine", **body}, headers=headers)

    refund = {"all": True, "expected_status": "held"}
    for _ in range(10):
        one = await create_payment(status="held", held_reason="amount_differs", paid_amount=49_000, paid_currency="NGN")
        accepted, refunded = await asyncio.gather(
            decide(one.reference, "accept"), decide(one.reference, "refunds", **refund)
        )
        assert (accepted.status_code, refunded.status_code) in {(200, 409), (409, 202)}
        refused = refunded.json() if accepted.status_code == 200 else accepted.json()
        assert refused["code"] == ("payment_status_changed" if accepted.status_code == 200 else "not_held")
    one = await create_payment(status="held", held_reason="amount_differs", paid_amount=49_000, paid_currency="NGN")
    assert (await decide(one.reference, "accept")).status_code == 200
    refused = (await decide(one.reference, "refunds", **refund)).json()
    assert (refused["status"], refused["payment_status"]) == (409, "succeeded")
    assert "The payment is succeeded now, not held" in refused["detail"]
    # The operator who knows that it was accepted can still refund it.
    known = await decide(one.reference, "refunds", all=True, expected_status="succeeded")
    assert known.status_code == 202


async def test_refund_when_it_is_repeated_with_its_key_after_the_status_has_changed_returns_the_first_response(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    one = await create_payment(status="held", held_reason="amount_differs", paid_amount=49_000, paid_currency="NGN")
    body, headers = {"all": True, "reason": "mine", "expected_status": "held"}, {**operator, "Idempotency-Key": "k"}
    first = await client.post(f"/payments/{one.reference}/refunds", json=body, headers=headers)
    await execute("UPDATE payments SET status = 'refunded'")
    again = await client.post(f"/payments/{one.reference}/refunds", json=body, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
