"""Disputes are answered by those who may, with evidence, accepted or declined."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.conftest import Signer
from tests.payments.bank import Bank, Json, notice
from tests.payments.complaints import (
    ANSWER,
    EVIDENCE,
    disputed,
    look,
    look_at_refunds,
    lost,
    refunds,
    tell,
    the_dispute,
    won,
)
from tests.payments.conftest import found, outbox_types


async def test_evidence(client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]) -> None:
    _, body = await disputed(client, bank)
    url = f"/payments/disputes/{body['id']}"
    answer = await client.post(f"{url}/evidence", json=EVIDENCE, headers=operator)
    assert (answer.status_code, answer.json()["evidence"]) == (200, EVIDENCE)
    upload = await client.post(f"{url}/uploads", json={"filename": "receipt.pdf"}, headers=operator)
    assert upload.status_code == 201
    name = upload.json()["uploaded_filename"]
    resolved = await client.post(f"{url}/resolve", json={**ANSWER, "uploaded_filename": name}, headers=operator)
    assert resolved.status_code == 200, resolved.text
    shown = resolved.json()
    assert (shown["status"], shown["resolution"], shown["lost"]) == ("awaiting-bank-feedback", "declined", None)
    assert (shown["answer"], shown["answered_by"]) == ("Signed for", "operator-1")
    (sent,) = bank.calls("/resolve")
    assert sent == {**ANSWER, "uploaded_filename": name, "refund_amount": 0, "evidence": 21}
    assert bank.calls("/evidence") == [EVIDENCE]
    # It is the bank's now.
    again = await client.post(f"{url}/resolve", json=ANSWER, headers=operator)
    assert (again.status_code, again.json()["code"]) == (409, "dispute_not_waiting")


async def test_declined_and_lost_all_the_same(client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]) -> None:
    """Whoever declines answers with a refund of 0: that is not what the payer wants, nor what the bank gives."""
    _, body = await disputed(client, bank, refund_amount=20_000)
    name = "qesp8a4df1xejihd9x5q"
    url = f"/payments/disputes/{body['id']}/resolve"
    declined = await client.post(url, json={**ANSWER, "uploaded_filename": name}, headers=operator)
    assert (declined.json()["status"], declined.json()["amount"]) == ("awaiting-bank-feedback", 20_000)
    assert bank.disputes[body["id"]]["refund_amount"] == 0
    bank.disputes[body["id"]] |= {"status": "resolved", "resolution": "auto-accepted"}
    await tell(client, notice("resolve", bank.disputes[body["id"]]))
    await look()
    await look_at_refunds()
    assert [(refund.amount, refund.requested_by) for refund in await refunds()] == [(20_000, "paystack")]


async def test_accepted_the_money_goes_back(client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]) -> None:
    one, body = await disputed(client, bank)
    answer = {**ANSWER, "resolution": "merchant-accepted"}
    resolved = await client.post(f"/payments/disputes/{body['id']}/resolve", json=answer, headers=operator)
    assert (resolved.json()["status"], resolved.json()["lost"]) == ("resolved", True)
    assert bank.calls("/resolve")[0]["refund_amount"] == 50_000
    assert await outbox_types() == ["payment.disputed", "payment.dispute_resolved"]
    assert [(refund.amount, refund.requested_by) for refund in await refunds()] == [(50_000, "paystack")]
    await tell(client, notice("resolve", lost(body, "merchant-accepted")))
    bank.disputes[body["id"]] = lost(body, "merchant-accepted")
    await look()
    await look_at_refunds()
    assert (await found(one.reference)).status == "refunded"
    assert len(await refunds()) == 1


async def test_an_answer_whose_answer_is_lost_is_looked_up(
    client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]
) -> None:
    _, body = await disputed(client, bank)
    bank.lose = {"/resolve"}
    answer = await client.post(f"/payments/disputes/{body['id']}/resolve", json=ANSWER, headers=operator)
    assert (answer.status_code, answer.json()["status"]) == (200, "awaiting-bank-feedback")
    assert len(bank.calls("/resolve")) == 1


async def test_what_paystack_refuses_or_does_not_hear(
    client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]
) -> None:
    _, body = await disputed(client, bank)
    url = f"/payments/disputes/{body['id']}"
    too_much = {**ANSWER, "resolution": "merchant-accepted", "refund_amount": 50_001}
    answer = await client.post(f"{url}/resolve", json=too_much, headers=operator)
    assert (answer.status_code, answer.json()["code"]) == (422, "dispute_refused")
    bank.down = True
    for path, sent in (("resolve", ANSWER), ("evidence", EVIDENCE), ("uploads", {"filename": "a.pdf"})):
        answer = await client.post(f"{url}/{path}", json=sent, headers=operator)
        assert (answer.status_code, answer.json()["code"]) == (503, "paystack_unavailable")
    assert (await the_dispute(body["id"])).status == "awaiting-merchant-feedback"


@pytest.mark.parametrize("path", ["", "/1", "/1/evidence", "/1/resolve", "/1/uploads"])
async def test_only_those_who_may_refund(client: httpx.AsyncClient, signer: Signer, path: str) -> None:
    method = "GET" if path in {"", "/1"} else "POST"
    assert (await client.request(method, f"/payments/disputes{path}")).status_code == 401
    answer = await client.request(method, f"/payments/disputes{path}", headers=signer.headers(), json={})
    assert answer.status_code == 403


async def test_what_is_wrong_is_said(client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]) -> None:
    assert (await client.get("/payments/disputes/1", headers=operator)).json()["code"] == "dispute_not_found"
    missing = await client.post("/payments/disputes/1/resolve", json=ANSWER, headers=operator)
    assert missing.json()["code"] == "dispute_not_found"
    for number in ("-1", "x", str(2**63), "1.5"):
        assert (await client.get(f"/payments/disputes/{number}", headers=operator)).status_code == 422
    for wrong in ({}, {**ANSWER, "resolution": "maybe"}, {**ANSWER, "refund_amount": -1}, {**ANSWER, "message": " "}):
        assert (await client.post("/payments/disputes/1/resolve", json=wrong, headers=operator)).status_code == 422
    for cursor in ("x", "WyJkaXNwdXRlcyBvcGVuIiwgIjEiLCAxXQ", "WyJkaXNwdXRlcyBvcGVuIiwgIjIwMjYtMDEtMDEiLCAxXQ"):
        assert (await client.get(f"/payments/disputes?cursor={cursor}", headers=operator)).status_code == 400


async def test_the_list_is_due_soonest_first(client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]) -> None:
    hours = [5, 1, 3, 1, 9]
    base = datetime.now(UTC)
    for each in hours:
        await disputed(client, bank, dueAt=(base + timedelta(hours=each)).isoformat())
    _, over = await disputed(client, bank)
    bank.disputes[over["id"]] = won(over)
    await tell(client, notice("resolve", won(over)))
    await look()
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
