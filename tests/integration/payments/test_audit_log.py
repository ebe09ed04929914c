"""Each act of an operator has one audit entry: who, from where, what, before and after, why, in which request."""

from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update

from kit.http.client_address import TrustedProxies
from services.payments.db import sessions
from services.payments.webhooks.models import WebhookEvent
from tests.factories.payments import create_paid_payment, create_payment, create_refund
from tests.fakes.paystack import FakePaystack, charge_success
from tests.fakes.paystack.endpoints import UPLOADED_FILENAME
from tests.fixtures.apps import RunningApp
from tests.fixtures.audit import audit_entries
from tests.fixtures.payments_cli import OPERATOR, CommandLine
from tests.fixtures.payments_requests import create_disputed_payment, deliver
from tests.fixtures.tokens import Signer

ACCOUNT = {"account_number": "0123456789", "bank_id": "9"}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(monkeypatch)


async def test_accept_is_recorded_with_everything(client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    one = await create_payment(status="held", held_reason="amount_differs", paid_amount=49_000, paid_currency="NGN")
    headers = {**operator, "X-Request-ID": "the-request"}
    await client.post(f"/payments/{one.reference}/accept", json={"reason": "a regular"}, headers=headers)
    (entry,) = await audit_entries(client, "payments", operator)
    assert entry.pop("id")
    assert entry.pop("recorded_at")
    assert entry == {
        "actor": "operator-1",
        "address": "127.0.0.1",
        "act": "payment.accepted",
        "subject": one.reference,
        "before": {"status": "held", "held_reason": "amount_differs"},
        "after": {"status": "succeeded", "order_id": str(one.order_id)},
        "reason": "a regular",
        "request_id": "the-request",
    }
    refused = await client.post(f"/payments/{one.reference}/accept", json={"reason": "again"}, headers=operator)
    assert refused.status_code == 409
    assert len(await audit_entries(client, "payments", operator)) == 1


async def test_address_is_that_of_the_client_behind_a_trusted_proxy(
    payments: RunningApp, client: httpx.AsyncClient, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {**operator, "X-Forwarded-For": "2001:db8::7"}
    for trusted in ([], ["127.0.0.1"]):
        monkeypatch.setitem(payments.state, "trusted_proxies", TrustedProxies(trusted))
        one = await create_payment(status="held", held_reason="amount_differs", paid_amount=49_000, paid_currency="NGN")
        await client.post(f"/payments/{one.reference}/accept", json={"reason": "a regular"}, headers=headers)
    entries = await audit_entries(client, "payments", operator)
    assert [entry["address"] for entry in entries] == ["2001:db8::7", "127.0.0.1"], "the newest is first"


async def test_refund_when_requested_twice_with_one_key_is_recorded_once(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    one = await create_paid_payment()
    headers = {**operator, "Idempotency-Key": uuid4().hex}
    for _ in range(2):
        body = {"amount": 1_000, "reason": "a chip"}
        answer = await client.post(f"/payments/{one.reference}/refunds", json=body, headers=headers)
        assert answer.status_code == 202
    (entry,) = await audit_entries(client, "payments", operator, act="refund.requested", subject=one.reference)
    assert entry["after"] == {"refund": answer.json()["id"], "amount": 1_000, "currency": "NGN"}
    assert entry["reason"] == "a chip"


async def test_refund_when_retried_is_recorded_even_if_paystack_does_not_answer(
    client: httpx.AsyncClient, operator: dict[str, str], paystack: FakePaystack
) -> None:
    one = await create_paid_payment()
    listed = paystack.add_refund(paystack.add_transaction(one.reference), 50_000, status="needs-attention")
    refund = await create_refund(one, paystack_id=listed["id"], status="needs-attention")
    paystack.fail(httpx.ReadTimeout("lost"), operation="retry_refund")
    url = f"/payments/{one.reference}/refunds/{refund.id}/retry"
    assert (await client.post(url, json=ACCOUNT, headers=operator)).status_code == 503
    (entry,) = await audit_entries(client, "payments", operator, act="refund.retried")
    assert entry["after"] == {"refund": str(refund.id), "account_ends": "6789", "bank_id": ACCOUNT["bank_id"]}


async def test_refund_when_closed_is_recorded(
    client: httpx.AsyncClient, operator: dict[str, str], command: CommandLine
) -> None:
    refund = await create_refund(await create_paid_payment(), status="failed")
    assert (await command.run("refunds", "close", str(refund.id), "--reason", "paid by bank transfer")).code == 0
    (entry,) = await audit_entries(client, "payments", operator, subject=str(refund.id))
    assert (entry["act"], entry["actor"], entry["reason"]) == ("refund.closed", OPERATOR, "paid by bank transfer")


async def test_dispute_when_responded_is_recorded(
    client: httpx.AsyncClient, operator: dict[str, str], paystack: FakePaystack
) -> None:
    _, body = await create_disputed_payment(client, paystack)
    evidence = {
        "customer_email": "ada@example.com",
        "customer_name": "Ada Obi",
        "customer_phone": "+2348012345678",
        "service_details": "Two cups",
    }
    url = f"/payments/disputes/{body['id']}"
    assert (await client.post(f"{url}/evidence", json=evidence, headers=operator)).status_code == 200
    response = {"resolution": "declined", "message": "Signed for", "uploaded_filename": UPLOADED_FILENAME}
    assert (await client.post(f"{url}/resolve", json=response, headers=operator)).status_code == 200
    responded, added = await audit_entries(client, "payments", operator, subject=str(body["id"]))
    assert (responded["act"], responded["reason"]) == ("dispute.responded", "Signed for")
    assert responded["after"] == {"resolution": "declined", "refund_amount": 0}
    assert (added["act"], added["after"]) == ("dispute.evidence_added", {"fields": sorted(evidence)})


async def test_webhook_events_when_reprocessed_and_closed_are_recorded(
    client: httpx.AsyncClient, operator: dict[str, str], command: CommandLine
) -> None:
    await deliver(client, charge_success("pay-unknown-1"), charge_success("pay-unknown-2"))
    made = await client.post("/payments/webhook-events/reprocess", json={"status": "processed"}, headers=operator)
    assert made.json()["count"] == 2
    (entry,) = await audit_entries(client, "payments", operator)
    assert (entry["act"], entry["actor"]) == ("webhook_events.reprocessed", "operator-1")
    assert entry["after"] == {"count": 2, "selected": {"status": "processed"}}
    async with sessions.begin() as session:
        ids = list(
            (await session.execute(update(WebhookEvent).values(status="failed").returning(WebhookEvent.id))).scalars()
        )
    assert (await command.run("webhooks", "close", *map(str, ids), "--reason", "refunded by hand")).code == 0
    closed = await audit_entries(client, "payments", operator, act="webhook_event.closed")
    assert {entry["subject"] for entry in closed} == set(map(str, ids))
    assert {(entry["actor"], entry["reason"], entry["request_id"]) for entry in closed} == {
        (OPERATOR, "refunded by hand", None)
    }


async def test_republish_is_recorded_and_reprocess_events_without_failed_events_is_not(
    client: httpx.AsyncClient, operator: dict[str, str], command: CommandLine
) -> None:
    assert (await command.run("republish", "--from", "2h")).code == 0
    assert (await command.run("reprocess-events")).code == 0  # nothing has failed, so nothing is done
    (entry,) = await audit_entries(client, "payments", operator)
    assert (entry["act"], entry["actor"]) == ("events.republished", OPERATOR)


async def test_audit_list_prints_what_the_api_returns(
    client: httpx.AsyncClient, operator: dict[str, str], command: CommandLine
) -> None:
    empty = await command.run("audit", "list")
    assert empty.out.strip() == "No audit entries match."
    one = await create_payment(status="held", held_reason="amount_differs", paid_amount=49_000, paid_currency="NGN")
    await command.run("holds", "refund", one.reference, "--reason", "too\u202elittle")
    assert (await command.run("audit", "list", "--json")).json == await audit_entries(client, "payments", operator)
    shown = (await command.run("audit", "list", "--subject", one.reference, "--act", "refund.requested")).out
    assert f"refund.requested  {one.reference}" in shown
    assert f"by {OPERATOR} from " in shown
    assert "\u202e" not in shown
    assert (await command.run("audit", "list", "--actor", "another", "--json")).json == []


async def test_audit_log_when_it_has_several_pages_is_read_with_cursors(
    client: httpx.AsyncClient, operator: dict[str, str], command: CommandLine
) -> None:
    for hours in range(1, 4):
        await command.run("republish", "--from", f"{hours}h")
    found, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/payments/audit-log", headers=operator, params=params)).json()
        found += [entry["id"] for entry in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == [entry["id"] for entry in await audit_entries(client, "payments", operator)]
    assert len(found) == 3


async def test_audit_log_when_the_scope_is_missing_answers_403(client: httpx.AsyncClient, signer: Signer) -> None:
    headers = signer.headers("reader", scopes=frozenset({"payments:read", "payments:decide"}))
    assert (await client.get("/payments/audit-log", headers=headers)).status_code == 403
    assert (await client.get("/payments/audit-log")).status_code == 401
