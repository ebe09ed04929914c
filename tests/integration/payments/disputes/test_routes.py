"""Who may see disputes and respond to them, what is refused, and the order of the list."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.fakes.paystack import FakePaystack, Json
from tests.fixtures.odd_amounts import ODD_AMOUNTS, assert_refused
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import create_disputed_payment, deliver_from
from tests.fixtures.tokens import Signer

RESPONSE = {"resolution": "declined", "message": "Signed for", "uploaded_filename": "receipt"}


@pytest.mark.parametrize("path", ["", "/1", "/1/evidence", "/1/resolve", "/1/uploads"])
async def test_disputes_when_the_caller_may_not_refund_are_refused(
    client: httpx.AsyncClient, signer: Signer, path: str
) -> None:
    method = "GET" if path in {"", "/1"} else "POST"
    assert (await client.request(method, f"/payments/disputes{path}")).status_code == 401
    answer = await client.request(method, f"/payments/disputes{path}", headers=signer.headers(), json={})
    assert answer.status_code == 403


async def test_disputes_when_the_id_the_body_or_the_cursor_is_wrong_are_refused(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    assert (await client.get("/payments/disputes/1", headers=operator)).json()["code"] == "dispute_not_found"
    missing = await client.post("/payments/disputes/1/resolve", json=RESPONSE, headers=operator)
    assert missing.json()["code"] == "dispute_not_found"
    for number in ("-1", "x", str(2**63), "1.5"):
        assert (await client.get(f"/payments/disputes/{number}", headers=operator)).status_code == 422
    for wrong in (
        {},
        {**RESPONSE, "resolution": "maybe"},
        {**RESPONSE, "refund_amount": -1},
        {**RESPONSE, "message": " "},
    ):
        assert (await client.post("/payments/disputes/1/resolve", json=wrong, headers=operator)).status_code == 422
    for cursor in ("x", "WyJkaXNwdXRlcyBvcGVuIiwgIjEiLCAxXQ", "WyJkaXNwdXRlcyBvcGVuIiwgIjIwMjYtMDEtMDEiLCAxXQ"):
        assert (await client.get(f"/payments/disputes?cursor={cursor}", headers=operator)).status_code == 400


@pytest.mark.parametrize("amount", ODD_AMOUNTS, ids=lambda amount: amount[:20])
async def test_resolve_when_the_amount_is_odd_is_refused_and_sends_nothing(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], amount: str
) -> None:
    _, body = await create_disputed_payment(client, paystack)
    answer = f'{{"resolution": "declined", "message": "no", "uploaded_filename": "a", "refund_amount": {amount}}}'
    await assert_refused(client, operator, f"/payments/disputes/{body['id']}/resolve", answer)
    assert paystack.calls_to("resolve") == []


async def test_list_disputes_when_several_are_open_shows_the_first_due_first(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs
) -> None:
    hours = [5, 1, 3, 1, 9]
    base = datetime.now(UTC)
    for each in hours:
        await create_disputed_payment(client, paystack, dueAt=(base + timedelta(hours=each)).isoformat())
    _, over = await create_disputed_payment(client, paystack)
    paystack.resolve_dispute(over, lost=False)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    seen: list[Json] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/payments/disputes", params=query, headers=operator)).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [each["due_at"] for each in seen] == sorted(each["due_at"] for each in seen)
    assert len({each["id"] for each in seen}) == 5
    past = (await client.get("/payments/disputes?state=over", headers=operator)).json()["items"]
    assert [each["id"] for each in past] == [over["id"]]
