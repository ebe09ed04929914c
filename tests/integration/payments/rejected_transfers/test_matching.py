"""A bank transfer that Paystack rejected appears at its payment, which only Paystack can name. What nobody can name is shown as such."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.payments.db import sessions
from services.payments.metrics import Metrics
from services.payments.paystack.errors import KeyRejected, NoAnswer, PaystackError, RateLimited
from services.payments.rejected_transfers.matching import MAX_FAILURES
from services.payments.rejected_transfers.models import RejectedTransfer
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, charge, refusal, success, transfer_rejected
from tests.fixtures.metrics import metric
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import execute, find_payment, outbox_events, webhook_events

PATH = "/payments/rejected-transfers"


async def list_transfers(client: httpx.AsyncClient, operator: dict[str, str], **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(PATH, params=params, headers=operator)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_rejected_transfer_when_paystack_names_its_payment_appears_on_it_and_is_published(
    client: httpx.AsyncClient, paystack: FakePaystack, customer: dict[str, str], operator: dict[str, str], jobs: Jobs
) -> None:
    one, other = await create_payment(), await create_payment()  # of the same customer
    for payment in (one, other):
        paystack.add_transaction(payment.reference, status="ongoing")
    await deliver(client, transfer_rejected(one.reference))
    assert [each["status"] for each in await list_transfers(client, operator)] == ["pending"]
    before = metric("transfers_rejected_total", result="matched")
    await jobs.match_transfers()
    assert metric("transfers_rejected_total", result="matched") == before + 1
    shown = (await client.get(f"/payments/{one.reference}", headers=customer)).json()
    (event,) = await webhook_events()
    rejected = shown["last_rejected_transfer"]
    assert (rejected["amount"], rejected["reason"], rejected["message"]) == (
        40_000,
        "INCORRECT_AMOUNT",
        "incorrect amount sent",
    )
    assert rejected["at"] == event.received_at.isoformat().replace("+00:00", "Z")
    assert shown["status"] == "pending"
    assert (await find_payment(other.reference)).last_rejected_transfer is None
    (published,) = await outbox_events()
    assert (published.type, published.data.order_id) == ("payment.transfer_rejected", one.order_id)
    assert published.model_dump()["data"]["rejected_amount"] == 40_000
    (listed,) = await list_transfers(client, operator)
    assert (listed["status"], listed["payment"], listed["currency"]) == ("matched", one.reference, "NGN")
    assert await list_transfers(client, operator, without_payment=True) == []


async def test_rejected_transfer_when_its_event_is_reprocessed_is_recorded_and_published_once(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    for _ in range(2):
        await deliver(client, transfer_rejected(one.reference))
        await jobs.match_transfers()
    await execute("UPDATE webhook_events SET status = 'pending', next_attempt_at = now()")
    await jobs.process_webhook_events()
    await jobs.match_transfers()
    assert len(await list_transfers(client, operator)) == 1
    assert len(await outbox_events()) == 1


async def test_rejected_transfers_when_they_are_matched_late_leave_the_newest_on_the_payment(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    await deliver(client, transfer_rejected(one.reference, 1_000), transfer_rejected(one.reference, 2_000))
    # The newer one is looked up first.
    await execute("UPDATE rejected_transfers SET next_attempt_at = now() - interval '1 hour' WHERE amount = 2000")
    await jobs.match_transfers()
    assert ((await find_payment(one.reference)).last_rejected_transfer or {})["amount"] == 2_000
    assert len(await outbox_events()) == 2


@pytest.mark.parametrize("known_to_paystack", [True, False])
async def test_rejected_transfer_when_it_has_no_payment_is_listed_as_unmatched(
    client: httpx.AsyncClient,
    paystack: FakePaystack,
    operator: dict[str, str],
    jobs: Jobs,
    *,
    known_to_paystack: bool,
) -> None:
    same_customer = await create_payment()
    before = metric("transfers_rejected_total", result="unmatched")
    if known_to_paystack:
        paystack.add_transaction("T685312322670591", status="ongoing")
    await deliver(client, transfer_rejected("T685312322670591"))
    await jobs.match_transfers()
    error = "there is no payment T685312322670591" if known_to_paystack else "Paystack has no transaction with this id"
    for without_payment in (True, False):
        (listed,) = await list_transfers(client, operator, without_payment=without_payment)
        assert (listed["status"], listed["payment"], listed["error"]) == ("unmatched", None, error)
    assert (await find_payment(same_customer.reference)).last_rejected_transfer is None
    assert await outbox_events() == []
    await jobs.match_transfers()
    assert len(paystack.calls_to("transaction")) == 1
    assert metric("transfers_rejected_total", result="unmatched") == before + 1


async def test_rejected_transfer_when_it_was_unmatched_and_its_event_is_reprocessed_is_looked_up_again(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs
) -> None:
    one = await create_payment()
    await deliver(client, transfer_rejected(one.reference))
    await jobs.match_transfers()
    paystack.add_transaction(one.reference, status="ongoing")
    await execute("UPDATE rejected_transfers SET attempts = 9")
    await execute("UPDATE webhook_events SET status = 'pending', next_attempt_at = now()")
    await jobs.process_webhook_events()
    async with sessions() as session:
        assert (await session.execute(select(RejectedTransfer.attempts))).scalar_one() == 0
    await jobs.match_transfers()
    (listed,) = await list_transfers(client, operator)
    assert (listed["status"], listed["payment"], listed["error"]) == ("matched", one.reference, None)


async def test_rejected_transfer_when_paystack_does_not_answer_is_matched_later(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    await deliver(client, transfer_rejected(one.reference))
    paystack.go_down()
    with pytest.raises(PaystackError):
        await jobs.match_transfers()
    assert [each["status"] for each in await list_transfers(client, operator)] == ["pending"]
    paystack.recover()
    await execute("UPDATE rejected_transfers SET next_attempt_at = now()")
    await jobs.match_transfers()
    assert [each["status"] for each in await list_transfers(client, operator)] == ["matched"]


async def test_rejected_transfer_when_it_names_no_transaction_needs_an_operator(client: httpx.AsyncClient) -> None:
    await deliver(client, transfer_rejected("pay-1", transaction_id=None))
    (event,) = await webhook_events()
    assert (event.status, event.error) == ("failed", "bank_transfer.transaction_id is missing")


async def test_list_when_it_has_several_pages_shows_each_transfer_once(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    for amount in (1, 2, 3):
        await deliver(client, transfer_rejected("pay-1", amount))
    first = (await client.get(PATH, params={"limit": 2}, headers=operator)).json()
    rest = (await client.get(PATH, params={"cursor": first["next_cursor"]}, headers=operator)).json()
    assert [each["amount"] for each in first["items"] + rest["items"]] == [3, 2, 1]


async def test_list_when_the_caller_is_a_customer_answers_403(
    client: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    assert (await client.get(PATH, headers=customer)).status_code == 403


@pytest.mark.parametrize("other", [{"id": 1}, {"id": None}, {"amount": None}])
async def test_rejected_transfer_when_paystack_answers_with_another_transaction_is_not_matched(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, other: dict[str, Any]
) -> None:
    one = await create_payment()
    answer = success({**charge(one.reference, status="ongoing"), **other})
    paystack.fail(answer, operation="transaction")
    await deliver(client, transfer_rejected(one.reference))
    with pytest.raises(NoAnswer):
        await jobs.match_transfers()
    assert (await find_payment(one.reference)).last_rejected_transfer is None


async def match_until_it_fails(jobs: Jobs) -> int:
    """Match the due transfers again and again, as if each pause had ended. Return how many attempts ended with an error."""
    for attempt in range(100):
        try:
            await jobs.match_transfers()
        except PaystackError:
            await execute("UPDATE rejected_transfers SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")
        else:
            return attempt
    raise AssertionError("the transfer is retried without an end")


REFUSED = refusal(400, "Transaction cannot be shown")
UNUSABLE = success({"id": 1})


@pytest.mark.parametrize("answer", [REFUSED, UNUSABLE], ids=["refused", "unusable"])
async def test_rejected_transfer_when_paystack_never_names_its_payment_needs_an_operator_who_has_it_tried_again(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs, answer: Any
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    paystack.fail(answer, operation="transaction", times=None)
    await deliver(client, transfer_rejected(one.reference))
    before = metric("transfers_rejected_total", result="failed")
    assert await match_until_it_fails(jobs) == MAX_FAILURES - 1
    assert len(paystack.calls_to("transaction")) == MAX_FAILURES
    await Metrics(sessions).measure()
    assert (metric("transfers_rejected_total", result="failed"), metric("rejected_transfers_failed")) == (before + 1, 1)
    for filters in ({"failed": True}, {"without_payment": True}, {}):
        (listed,) = await list_transfers(client, operator, **filters)
        assert (listed["status"], listed["payment"], listed["next_attempt_at"]) == ("failed", None, None)
        # Nothing of what Paystack sent is lost.
        assert (listed["amount"], listed["reason"]) == (40_000, "INCORRECT_AMOUNT")
        assert "Paystack did not name the payment" in listed["error"]
    paystack.recover()
    await jobs.match_transfers()
    assert (await find_payment(one.reference)).last_rejected_transfer is None

    url = f"{PATH}/{listed['id']}/retry"
    for _ in range(2):
        retried = await client.post(url, headers=operator)
        assert (retried.status_code, retried.json()["status"], retried.json()["error"]) == (202, "pending", None)
    await jobs.match_transfers()
    assert ((await find_payment(one.reference)).last_rejected_transfer or {})["amount"] == 40_000
    assert len(await outbox_events()) == 1
    matched = await client.post(url, headers=operator)
    assert (matched.status_code, matched.json()["code"]) == (409, "rejected_transfer_matched")
    audit = await client.get("/payments/audit-log", params={"act": "rejected_transfer.retried"}, headers=operator)
    assert [entry["before"]["status"] for entry in audit.json()["items"]] == ["pending", "failed"]
    await Metrics(sessions).measure()
    assert metric("rejected_transfers_failed") == 0


async def test_rejected_transfer_when_our_key_is_rejected_or_the_rate_limit_used_up_does_not_fail(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    await deliver(client, transfer_rejected(one.reference))
    await execute(f"UPDATE rejected_transfers SET failures = {MAX_FAILURES - 1}")
    limited = httpx.Response(429, headers={"x-ratelimit-reset": "0"}, json={})
    for answer, error in ((limited, RateLimited), (refusal(401, "Invalid key"), KeyRejected)):
        await execute("UPDATE rejected_transfers SET next_attempt_at = now()")
        paystack.fail(answer, operation="transaction")
        with pytest.raises(error):
            await jobs.match_transfers()
        (listed,) = await list_transfers(client, operator)
        assert listed["status"] == "pending"


async def test_retry_when_the_caller_is_a_customer_or_the_transfer_is_unknown_is_refused(
    client: httpx.AsyncClient, customer: dict[str, str], operator: dict[str, str]
) -> None:
    await deliver(client, transfer_rejected("pay-1"))
    (listed,) = await list_transfers(client, operator)
    assert (await client.post(f"{PATH}/{listed['id']}/retry", headers=customer)).status_code == 403
    unknown = await client.post(f"{PATH}/{listed['id'] + 1}/retry", headers=operator)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "rejected_transfer_not_found")


async def test_rejected_transfer_when_it_failed_and_its_event_is_reprocessed_is_looked_up_again(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    await deliver(client, transfer_rejected(one.reference))
    await execute("UPDATE rejected_transfers SET failures = 20, failed_at = now(), next_attempt_at = NULL")
    await execute("UPDATE webhook_events SET status = 'pending', next_attempt_at = now()")
    await jobs.process_webhook_events()
    await jobs.match_transfers()
    assert [each["status"] for each in await list_transfers(client, operator)] == ["matched"]
