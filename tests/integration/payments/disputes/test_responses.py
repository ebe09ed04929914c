"""Operators respond to disputes: evidence, uploads, accept and decline."""

import httpx

from tests.fakes.paystack import FakePaystack
from tests.fakes.paystack.endpoints import UPLOADED_FILENAME
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import create_disputed_payment, deliver_from
from tests.fixtures.payments_rows import all_refunds, find_dispute, find_payment, outbox_types

RESPONSE = {"resolution": "declined", "message": "Signed for", "uploaded_filename": UPLOADED_FILENAME}
EVIDENCE = {
    "customer_email": "ada@example.com",
    "customer_name": "Ada Obi",
    "customer_phone": "+2348012345678",
    "service_details": "Two cups, delivered and signed for",
    "delivery_date": "2026-11-20",
}


async def test_resolve_when_evidence_was_added_sends_it_to_the_bank(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str]
) -> None:
    _, body = await create_disputed_payment(client, paystack)
    url = f"/payments/disputes/{body['id']}"
    answer = await client.post(f"{url}/evidence", json=EVIDENCE, headers=operator)
    assert (answer.status_code, answer.json()["evidence"]) == (200, EVIDENCE)
    upload = await client.post(f"{url}/uploads", json={"filename": "receipt.pdf"}, headers=operator)
    assert upload.status_code == 201
    name = upload.json()["uploaded_filename"]
    resolved = await client.post(f"{url}/resolve", json={**RESPONSE, "uploaded_filename": name}, headers=operator)
    assert resolved.status_code == 200, resolved.text
    shown = resolved.json()
    assert (shown["status"], shown["resolution"], shown["lost"]) == ("awaiting-bank-feedback", "declined", None)
    assert (shown["response_message"], shown["responded_by"]) == ("Signed for", "operator-1")
    (sent,) = paystack.bodies_of("resolve")
    assert sent == {**RESPONSE, "uploaded_filename": name, "refund_amount": 0, "evidence": 21}
    assert paystack.bodies_of("evidence") == [EVIDENCE]
    # The bank decides now.
    again = await client.post(f"{url}/resolve", json=RESPONSE, headers=operator)
    assert (again.status_code, again.json()["code"]) == (409, "dispute_not_awaiting_response")


async def test_resolve_when_declined_and_lost_all_the_same_refunds_the_disputed_amount(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs
) -> None:
    """A decline sends a refund amount of 0, which is neither what the payer claims nor what the bank returns."""
    _, body = await create_disputed_payment(client, paystack, refund_amount=20_000)
    url = f"/payments/disputes/{body['id']}/resolve"
    declined = await client.post(url, json=RESPONSE, headers=operator)
    assert (declined.json()["status"], declined.json()["amount"]) == ("awaiting-bank-feedback", 20_000)
    assert body["refund_amount"] == 0
    paystack.resolve_dispute(body, lost=True)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    await jobs.execute_refunds()
    assert [(refund.amount, refund.requested_by) for refund in await all_refunds()] == [(20_000, "paystack")]


async def test_resolve_when_accepted_refunds_the_payment_once(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs
) -> None:
    one, body = await create_disputed_payment(client, paystack)
    answer = {**RESPONSE, "resolution": "merchant-accepted"}
    resolved = await client.post(f"/payments/disputes/{body['id']}/resolve", json=answer, headers=operator)
    assert (resolved.json()["status"], resolved.json()["lost"]) == ("resolved", True)
    assert paystack.bodies_of("resolve")[0]["refund_amount"] == 50_000
    assert await outbox_types() == ["payment.disputed", "payment.dispute_resolved"]
    assert [(refund.amount, refund.requested_by) for refund in await all_refunds()] == [(50_000, "paystack")]
    paystack.send_dispute_event("resolve", paystack.shown_dispute(body))
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    await jobs.execute_refunds()
    assert (await find_payment(one.reference)).status == "refunded"
    assert len(await all_refunds()) == 1


async def test_resolve_when_paystacks_answer_is_lost_fetches_the_dispute(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str]
) -> None:
    _, body = await create_disputed_payment(client, paystack)
    paystack.lose_answers("resolve")
    answer = await client.post(f"/payments/disputes/{body['id']}/resolve", json=RESPONSE, headers=operator)
    assert (answer.status_code, answer.json()["status"]) == (200, "awaiting-bank-feedback")
    assert len(paystack.calls_to("resolve")) == 1


async def test_responses_when_paystack_refuses_or_is_down_are_answered_422_or_503(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str]
) -> None:
    _, body = await create_disputed_payment(client, paystack)
    url = f"/payments/disputes/{body['id']}"
    too_much = {**RESPONSE, "resolution": "merchant-accepted", "refund_amount": 50_001}
    answer = await client.post(f"{url}/resolve", json=too_much, headers=operator)
    assert (answer.status_code, answer.json()["code"]) == (422, "dispute_refused")
    paystack.go_down()
    for path, sent in (("resolve", RESPONSE), ("evidence", EVIDENCE), ("uploads", {"filename": "a.pdf"})):
        answer = await client.post(f"{url}/{path}", json=sent, headers=operator)
        assert (answer.status_code, answer.json()["code"]) == (503, "paystack_unavailable")
    assert (await find_dispute(body["id"])).status == "awaiting-merchant-feedback"
