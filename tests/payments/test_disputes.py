"""Disputes: recorded with their clock, answered, followed to the end, whatever of the notices comes, twice, late or never."""

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from contracts.events import PaymentDisputed, PaymentDisputeResolved, PaymentRefunded
from kit.worker import Life
from services.payments.backlog import Backlog
from services.payments.db import sessions
from services.payments.disputes import watch as watching
from services.payments.disputes.watch import Watch
from services.payments.models import Dispute, Payment, Refund
from services.payments.refunding import Refunder
from tests.conftest import ADMIN, Signer
from tests.payments.bank import Bank, Json, dispute, notice
from tests.payments.conftest import FIXTURES, charge, found, outbox, outbox_types, payment, send, settle_all, stored

NUMBERS = itertools.count(1000)
ANSWER = {"resolution": "declined", "message": "Signed for", "uploaded_filename": "qesp8a4df1xejihd9x5q"}
EVIDENCE = {
    "customer_email": "ada@example.com",
    "customer_name": "Ada Obi",
    "customer_phone": "+2348012345678",
    "service_details": "Two cups, delivered and signed for",
    "delivery_date": "2026-11-20",
}


@pytest.fixture
def operator(signer: Signer) -> dict[str, str]:
    return signer.headers("operator-1", scopes=ADMIN)


async def paid(**values: Any) -> Payment:
    values = {"status": "succeeded", "paid_amount": 50_000, "paid_currency": "NGN", **values}
    one = await payment(**values)
    async with sessions.begin() as session:
        await session.execute(text("UPDATE payments SET paystack_id = id WHERE id = :id"), {"id": one.id})
    return one


async def disputed(client: httpx.AsyncClient, bank: Bank, **changes: Any) -> tuple[Payment, Json]:
    """A paid payment with a dispute whose notice has been settled."""
    one = await paid()
    number = next(NUMBERS)
    body = bank.disputes[number] = dispute(number, one.reference, **changes)
    await tell(client, notice("create", body))
    return one, body


async def tell(client: httpx.AsyncClient, *bodies: Json) -> None:
    for body in bodies:
        assert (await send(client, body)).status_code == 200
    await settle_all()


async def look() -> None:
    """What the watch does until nothing is due."""
    watch = Watch(sessions, asyncio.Event())
    while await watch.look(Life()):
        pass


async def look_at_refunds() -> None:
    refunder = Refunder(sessions, asyncio.Event())
    while (due := await refunder._take()) is not None:
        await refunder._look(due)


async def the_dispute(number: int) -> Dispute:
    async with sessions() as session:
        return (await session.execute(select(Dispute).where(Dispute.id == number))).scalar_one()


async def refunds() -> list[Refund]:
    async with sessions() as session:
        return list((await session.execute(select(Refund).order_by(Refund.number))).scalars())


def won(body: Json) -> Json:
    return body | {"status": "resolved", "resolution": "declined", "updatedAt": "2026-11-25T01:00:00.000Z"}


def lost(body: Json, resolution: str = "auto-accepted") -> Json:
    transaction = body["transaction"] | {"status": "reversed"}
    changes = {"status": "resolved", "resolution": resolution, "transaction": transaction}
    return body | changes | {"updatedAt": "2026-11-25T01:00:00.000Z"}


async def test_a_dispute_is_recorded_and_told(client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]) -> None:
    one, body = await disputed(client, bank)
    assert (await found(one.reference)).status == "disputed"
    (event,) = await outbox()
    assert isinstance(event, PaymentDisputed)
    assert (event.data.dispute_id, event.data.disputed_amount, event.subject) == (body["id"], 50_000, str(one.order_id))
    assert event.data.due_at == datetime(2099, 11, 25, 18, tzinfo=UTC)
    shown = (await client.get(f"/payments/disputes/{body['id']}", headers=operator)).json()
    assert shown["reference"] == one.reference
    assert (shown["status"], shown["amount"], shown["lost"]) == ("awaiting-merchant-feedback", 50_000, None)
    (kept,) = await stored()
    assert kept.outcome == "awaiting-merchant-feedback"


async def test_the_clock_is_sixteen_hours_where_paystack_does_not_say(client: httpx.AsyncClient, bank: Bank) -> None:
    _, body = await disputed(client, bank, dueAt=None)
    kept = await the_dispute(body["id"])
    assert kept.due_at - kept.opened_at == timedelta(hours=16)


async def test_notices_twice_and_reminders_change_nothing(client: httpx.AsyncClient, bank: Bank) -> None:
    one, body = await disputed(client, bank)
    remind = notice("remind", body | {"updatedAt": "2026-11-24T22:00:00.000Z"})
    await tell(client, notice("create", body), remind, remind)
    await look()
    assert await outbox_types() == ["payment.disputed"]
    assert (await found(one.reference)).status == "disputed"


async def test_won_the_money_stays(client: httpx.AsyncClient, bank: Bank) -> None:
    one, body = await disputed(client, bank)
    bank.disputes[body["id"]] = won(body)
    await tell(client, notice("resolve", won(body)))
    await look()
    assert (await found(one.reference)).status == "succeeded"
    assert await refunds() == []
    _, event = await outbox()
    assert isinstance(event, PaymentDisputeResolved)
    assert (event.data.lost, event.data.resolution) == (False, "declined")
    assert (await the_dispute(body["id"])).next_look_at is None


@pytest.mark.parametrize("resolution", ["merchant-accepted", "auto-accepted"])
async def test_lost_the_money_goes_back(client: httpx.AsyncClient, bank: Bank, resolution: str) -> None:
    one, body = await disputed(client, bank)
    bank.disputes[body["id"]] = lost(body, resolution)
    await tell(client, notice("resolve", lost(body, resolution)))
    await look()
    await look_at_refunds()
    (refund,) = await refunds()
    assert (refund.requested_by, refund.amount, refund.status) == ("paystack", 50_000, "processed")
    standing = await found(one.reference)
    assert (standing.status, standing.refunded_amount) == ("refunded", 50_000)
    _, resolved, refunded = await outbox()
    assert isinstance(resolved, PaymentDisputeResolved)
    assert resolved.data.lost
    assert isinstance(refunded, PaymentRefunded)
    assert refunded.data.refunded_amount == 50_000
    assert bank.calls("/refund") == [{"transaction": str(one.id), "perPage": "100"}]  # asked, never sent
    assert (await the_dispute(body["id"])).next_look_at is None


async def test_a_part_lost_is_a_partial_refund(client: httpx.AsyncClient, bank: Bank) -> None:
    one, body = await disputed(client, bank)
    bank.disputes[body["id"]] = lost(body) | {"refund_amount": 20_000}
    await tell(client, notice("resolve", body))
    await look()
    await look_at_refunds()
    assert (await found(one.reference)).status == "partially_refunded"
    assert [refund.amount for refund in await refunds()] == [20_000]


LISTED = {"id": 77, "amount": 50_000, "status": "processed", "merchant_note": "by the desk"}


@pytest.mark.parametrize("first", ["the dispute", "the refund"])
async def test_a_refund_that_paystack_lists_too_is_one(client: httpx.AsyncClient, bank: Bank, first: str) -> None:
    one, body = await disputed(client, bank)
    bank.disputes[body["id"]] = lost(body)
    if first == "the refund":
        bank.refunds = [LISTED]
        async with sessions.begin() as session:
            await session.execute(text("UPDATE payments SET refunds_due_at = now()"))
        await look_at_refunds()
    await tell(client, notice("resolve", lost(body)))
    await look()
    bank.refunds = [LISTED]
    await look_at_refunds()
    (refund,) = await refunds()
    assert (refund.paystack_id, refund.dispute_id, refund.amount) == (77, body["id"], 50_000)
    assert (await found(one.reference)).refunded_amount == 50_000
    assert (await outbox_types()).count("payment.refunded") == 1


async def test_a_refund_is_not_done_before_paystack_says_so(client: httpx.AsyncClient, bank: Bank) -> None:
    one, body = await disputed(client, bank)
    on_its_way = lost(body) | {"transaction": body["transaction"] | {"status": "reversal-pending"}}
    bank.disputes[body["id"]] = on_its_way
    await tell(client, notice("resolve", on_its_way))
    await look()
    await look_at_refunds()
    assert [refund.status for refund in await refunds()] == ["pending"]
    assert (await found(one.reference)).refunded_amount == 0
    bank.disputes[body["id"]] = lost(body)
    async with sessions.begin() as session:
        await session.execute(text("UPDATE disputes SET next_look_at = now()"))
    await look()
    await look_at_refunds()
    assert (await found(one.reference)).status == "refunded"


@pytest.mark.parametrize("order", list(itertools.permutations(["create", "remind", "resolve"])))
async def test_any_order_of_notices_ends_the_same(
    client: httpx.AsyncClient, bank: Bank, order: tuple[str, ...]
) -> None:
    one = await paid()
    opened = dispute(next(NUMBERS), one.reference)
    bodies = {"create": opened, "remind": opened | {"updatedAt": "2026-11-24T22:00:00.000Z"}, "resolve": won(opened)}
    bank.disputes[opened["id"]] = won(opened)
    for kind in order:
        await tell(client, notice(kind, bodies[kind]))
        await look()
    assert (await found(one.reference)).status == "succeeded"
    assert (await outbox_types()).count("payment.dispute_resolved") == 1
    assert (await the_dispute(opened["id"])).status == "resolved"


async def test_an_old_answer_does_not_undo_a_new_one(client: httpx.AsyncClient, bank: Bank) -> None:
    _, body = await disputed(client, bank)
    newer = body | {"status": "awaiting-bank-feedback", "updatedAt": "2026-11-24T20:00:00.000Z"}
    bank.disputes[body["id"]] = newer
    await look()
    bank.disputes[body["id"]] = body
    async with sessions.begin() as session:
        await session.execute(text("UPDATE disputes SET next_look_at = now()"))
    await look()
    assert (await the_dispute(body["id"])).status == "awaiting-bank-feedback"


async def test_a_dispute_before_the_payment_was_heard_of(client: httpx.AsyncClient, bank: Bank) -> None:
    one = await payment(status="abandoned")
    body = dispute(next(NUMBERS), one.reference)
    bank.disputes[body["id"]] = body
    await tell(client, notice("create", body))
    asked = await found(one.reference)
    assert asked.status == "pending"
    assert asked.next_verify_at <= datetime.now(UTC)
    await tell(client, charge(one.reference))
    assert (await found(one.reference)).status == "succeeded"
    await look()
    assert (await found(one.reference)).status == "disputed"
    assert await outbox_types() == ["payment.disputed", "payment.succeeded"]


async def test_two_disputes_of_one_payment(client: httpx.AsyncClient, bank: Bank) -> None:
    one, first = await disputed(client, bank)
    second = dispute(next(NUMBERS), one.reference)
    bank.disputes[second["id"]] = second
    await tell(client, notice("create", second))
    bank.disputes[first["id"]] = won(first)
    await tell(client, notice("resolve", won(first)))
    await look()
    assert (await found(one.reference)).status == "disputed"
    bank.disputes[second["id"]] = won(second)
    await tell(client, notice("resolve", won(second)))
    await look()
    assert (await found(one.reference)).status == "succeeded"


async def test_money_of_nobody_is_shown(client: httpx.AsyncClient, bank: Bank, operator: dict[str, str]) -> None:
    body = dispute(next(NUMBERS), "another-system-1")
    await tell(client, notice("create", body))
    shown = (await client.get("/payments/disputes", headers=operator)).json()["items"]
    assert [(each["id"], each["reference"]) for each in shown] == [(body["id"], "another-system-1")]
    assert await outbox_types() == []


async def test_another_mode_touches_nothing(client: httpx.AsyncClient, bank: Bank) -> None:
    one = await paid()
    await tell(client, notice("create", dispute(next(NUMBERS), one.reference, domain="live")))
    (kept,) = await stored()
    assert (kept.state, kept.outcome) == ("done", "kept: mode_differs")
    assert (await found(one.reference)).status == "succeeded"


@pytest.mark.parametrize("name", ["create", "remind", "resolve"])
async def test_the_official_shapes(client: httpx.AsyncClient, bank: Bank, name: str) -> None:
    body = json.loads((FIXTURES / f"charge.dispute.{name}.json").read_bytes())
    body["data"] |= {"domain": "test"}
    one = await paid(reference=body["data"]["transaction"]["reference"], paid_amount=9_000_000)
    await tell(client, body)
    kept = await the_dispute(body["data"]["id"])
    assert (kept.payment_id, kept.amount, kept.currency) == (one.id, body["data"]["refund_amount"], "NGN")
    assert kept.lost is (True if name == "resolve" else None)


@pytest.mark.parametrize("data", [None, [], "x", {}, {"id": "x", "status": "resolved"}, {"id": 1, "status": 7}])
async def test_rubbish_waits_for_a_person(client: httpx.AsyncClient, bank: Bank, data: Any) -> None:
    await tell(client, {"event": "charge.dispute.create", "data": data})
    (kept,) = await stored()
    assert (kept.state, kept.outcome) == ("failed", "unreadable")


async def test_a_dispute_that_no_notice_told_of_is_found(client: httpx.AsyncClient, bank: Bank) -> None:
    payments = [await paid() for _ in range(60)]
    for one in payments:
        number = next(NUMBERS)
        bank.disputes[number] = dispute(number, one.reference)
    watch = Watch(sessions, asyncio.Event())
    await watch.search(Life())
    assert {(await found(one.reference)).status for one in payments} == {"disputed"}
    await watch.search(Life())
    assert await outbox_types() == ["payment.disputed"] * 60


async def test_paystack_away_the_clock_runs_all_the_same(client: httpx.AsyncClient, bank: Bank) -> None:
    bank.down = True
    one, body = await disputed(client, bank)
    assert (await found(one.reference)).status == "disputed"
    with pytest.raises(Exception, match="ConnectError"):
        await look()
    assert (await the_dispute(body["id"])).next_look_at is not None


async def test_the_metrics_alarm(client: httpx.AsyncClient, bank: Bank) -> None:
    await Backlog(sessions).measure()
    assert watching.open_disputes._value.get() == 0
    assert watching.due_seconds._value.get() == float("inf")
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    await disputed(client, bank)
    _, body = await disputed(client, bank, dueAt=soon)
    await Backlog(sessions).measure()
    assert watching.open_disputes._value.get() == 2
    assert 7100 < watching.due_seconds._value.get() <= 7200
    # What the bank has in hand does not wait for us.
    bank.disputes[body["id"]] = body | {"status": "awaiting-bank-feedback"}
    await look()
    await Backlog(sessions).measure()
    assert watching.open_disputes._value.get() == 2
    assert watching.due_seconds._value.get() > 7200


async def test_the_last_hours_are_said_aloud(
    client: httpx.AsyncClient, bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    _, body = await disputed(client, bank, dueAt=(datetime.now(UTC) + timedelta(minutes=10)).isoformat())
    await look()
    assert "about to be accepted" in caplog.text
    kept = await the_dispute(body["id"])
    assert kept.next_look_at is not None
    assert kept.next_look_at <= kept.due_at


async def test_everything_at_once(client: httpx.AsyncClient, bank: Bank) -> None:
    """Notices, looks and refunds that race: one end, one refund, and no subunit twice."""
    payments = [await paid() for _ in range(10)]
    bodies = [dispute(next(NUMBERS), one.reference) for one in payments]
    bank.disputes = {body["id"]: lost(body) for body in bodies}
    listed = {body["transaction"]["reference"]: {**LISTED, "id": body["id"]} for body in bodies}
    by_transaction = {str(one.id): listed[one.reference] for one in payments}
    bank.refunds_of = lambda transaction: [by_transaction[transaction]]
    for body in bodies:
        for each in (notice("resolve", lost(body)), notice("create", body), notice("remind", body)):
            await send(client, each)
    for _ in range(5):
        await asyncio.gather(settle_all(), settle_all(), look(), look(), look_at_refunds(), look_at_refunds())
        async with sessions.begin() as session:
            await session.execute(text("UPDATE disputes SET next_look_at = now()"))
            await session.execute(text("UPDATE payments SET refunds_due_at = now()"))
    assert {(one.status, one.refunded_amount) for one in [await found(p.reference) for p in payments]} == {
        ("refunded", 50_000)
    }
    assert len(await refunds()) == 10
    types = await outbox_types()
    assert (types.count("payment.dispute_resolved"), types.count("payment.refunded")) == (10, 10)


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
