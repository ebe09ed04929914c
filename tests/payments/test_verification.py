"""The other roads to a settlement: the client's question, the payer's return, the sweep. In any weather."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.settlement import sweeper
from services.payments.settlement.sweeper import Sweeper
from tests.conftest import Signer
from tests.loops import living, until
from tests.payments.conftest import charge, clients, found, outbox_types, payment
from tests.payments.weather import Weather, ok, refused

PAST = datetime(2026, 1, 1, tzinfo=UTC)


def told(reference: str, **changes: Any) -> httpx.Response:
    return ok(charge(reference, **changes)["data"])


async def ask(client: httpx.AsyncClient, signer: Signer, reference: str) -> httpx.Response:
    return await client.post(f"/payments/{reference}/verify", headers=signer.headers("payer-1"))


async def test_a_paid_payment_is_found_out(client: httpx.AsyncClient, signer: Signer, paystack: Weather) -> None:
    one = await payment()
    paystack.then(told(one.reference))
    answer = await ask(client, signer, one.reference)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert await outbox_types() == ["payment.succeeded"]
    assert (await ask(client, signer, one.reference)).json()["status"] == "succeeded"
    assert len(paystack.asked) == 1


@pytest.mark.parametrize(
    ("said", "status"), [("abandoned", "pending"), ("ongoing", "pending"), ("failed", "failed"), ("reversed", "held")]
)
async def test_what_paystack_says_of_it(
    client: httpx.AsyncClient, signer: Signer, paystack: Weather, said: str, status: str
) -> None:
    one = await payment()
    paystack.then(told(one.reference, status=said))
    assert (await ask(client, signer, one.reference)).json()["status"] == status


async def test_the_gate_stands_on_this_road_too(client: httpx.AsyncClient, signer: Signer, paystack: Weather) -> None:
    one = await payment()
    paystack.then(told(one.reference, amount=49_999))
    assert (await ask(client, signer, one.reference)).json()["held_reason"] == "amount_differs"
    assert await outbox_types() == ["payment.held"]


async def test_verification_never_unpays(client: httpx.AsyncClient, signer: Signer, paystack: Weather) -> None:
    one = await payment(status="succeeded")
    paystack.then(told(one.reference, status="reversed"))
    assert (await ask(client, signer, one.reference)).json()["status"] == "succeeded"
    assert paystack.asked == []


@pytest.mark.parametrize(
    ("weather", "retry_after"),
    [
        (httpx.ReadTimeout("slow"), "1"),
        (httpx.ConnectError("away"), "1"),
        (httpx.Response(500, json={"status": False}), "1"),
        (httpx.Response(200, html="<h1>Please wait</h1>"), "1"),
        (refused(401, "invalid_Key"), "1"),
        (refused(403, "forbidden"), "1"),
        (httpx.Response(429, headers={"x-ratelimit-reset": "17"}, json={"status": False}), "17"),
    ],
    ids=str,
)
async def test_foul_weather_is_a_503(
    client: httpx.AsyncClient, signer: Signer, paystack: Weather, weather: Any, retry_after: str
) -> None:
    one = await payment()
    paystack.then(weather)
    answer = await ask(client, signer, one.reference)
    assert (answer.status_code, answer.json()["code"]) == (503, "paystack_unavailable")
    assert answer.headers["retry-after"] == retry_after
    assert (await found(one.reference)).status == "pending"


async def test_many_questions_are_one(client: httpx.AsyncClient, signer: Signer, paystack: Weather) -> None:
    one = await payment()
    paystack.then(told(one.reference, status="ongoing"))
    answers = await asyncio.gather(*(ask(client, signer, one.reference) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(paystack.asked) == 1


async def test_nobody_asks_about_what_is_not_theirs(
    client: httpx.AsyncClient, signer: Signer, paystack: Weather
) -> None:
    one = await payment()
    answer = await client.post(f"/payments/{one.reference}/verify", headers=signer.headers("somebody"))
    assert (answer.status_code, answer.json()["code"]) == (404, "payment_not_found")
    assert (await client.post(f"/payments/{one.reference}/verify")).status_code == 401
    assert paystack.asked == []


async def test_the_return_leads_on(client: httpx.AsyncClient, paystack: Weather) -> None:
    one = await payment(callback_url="https://shop.test/thanks?basket=7#top")
    paystack.then(told(one.reference))
    answer = await client.get("/payments/callback", params={"trxref": one.reference, "reference": one.reference})
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        f"https://shop.test/thanks?basket=7&trxref={one.reference}&reference={one.reference}#top"
    )
    assert (await found(one.reference)).status == "succeeded"


@pytest.mark.parametrize("name", ["reference", "trxref"])
async def test_the_return_without_a_page_of_the_shop(client: httpx.AsyncClient, paystack: Weather, name: str) -> None:
    one = await payment()
    paystack.then(told(one.reference))
    answer = await client.get("/payments/callback", params={name: one.reference})
    assert answer.status_code == 200
    assert "Thank you" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_return_proves_nothing(client: httpx.AsyncClient, paystack: Weather) -> None:
    one = await payment()
    paystack.then(told(one.reference, status="abandoned"))
    answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert "not confirmed yet" in answer.text
    assert await outbox_types() == []


async def test_the_return_waits_for_no_paystack(client: httpx.AsyncClient, paystack: Weather) -> None:
    one = await payment(callback_url="https://shop.test/thanks")
    paystack.then(httpx.ReadTimeout("slow"))
    answer = await client.get("/payments/callback", params={"reference": one.reference})
    assert answer.status_code == 303


@pytest.mark.parametrize("odd", ["", "x", "<script>", "\x00", "é", "\ud7ff", "a" * 200, "' OR 1=1;--"])
async def test_the_return_of_nobody(client: httpx.AsyncClient, paystack: Weather, odd: str) -> None:
    answer = await client.get("/payments/callback", params={"reference": odd})
    assert answer.status_code == 404
    assert "<script>" not in answer.text
    assert paystack.asked == []


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that does not pause."""
    monkeypatch.setattr(sweeper, "POLL_SECONDS", 0.02)


def standing(*wanted: tuple[str, str]) -> Callable[[], Awaitable[bool]]:
    """Whether each of these payments stands so."""

    async def check() -> bool:
        return all([(await found(reference)).status == status for reference, status in wanted])

    return check


def by_reference(*answers: tuple[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
    known = dict(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        given = known[request.url.path.rpartition("/")[2]]
        if isinstance(given, Exception):
            raise given
        return httpx.Response(given.status_code, headers=given.headers, content=given.content)

    return answer


async def test_the_sweep_finds_what_no_webhook_told(paystack: Weather, brisk: None) -> None:
    first, second, late = (
        await payment(verify_next_attempt_at=PAST),
        await payment(verify_next_attempt_at=PAST),
        await payment(),
    )
    paystack.then(
        by_reference(
            (first.reference, told(first.reference)), (second.reference, told(second.reference, status="failed"))
        )
    )
    async with living(Sweeper(sessions, clients().paystack).run):
        await until(standing((first.reference, "succeeded"), (second.reference, "failed")))
    assert (await found(late.reference)).status == "pending"
    assert sorted(paystack.references()) == sorted([first.reference, second.reference])


@pytest.mark.parametrize(
    "weather",
    [
        refused(403, "forbidden"),
        refused(400, "invalid_params"),
        httpx.Response(500, json={"status": False}),
        httpx.ReadTimeout("slow"),
        httpx.Response(200, json={"status": True, "data": {}}),
        httpx.Response(429, headers={"x-ratelimit-reset": "0"}, json={}),
    ],
    ids=str,
)
async def test_one_odd_answer_holds_back_no_other(paystack: Weather, brisk: None, weather: Any) -> None:
    ones = [await payment(verify_next_attempt_at=PAST + timedelta(seconds=number)) for number in range(3)]
    answers = [(one.reference, told(one.reference)) for one in ones[1:]]
    paystack.then(by_reference((ones[0].reference, weather), *answers))
    async with living(Sweeper(sessions, clients().paystack).run):
        await until(standing(*((one.reference, "succeeded") for one in ones[1:])), 5)
    odd = await found(ones[0].reference)
    assert odd.status == "pending"
    assert odd.verify_next_attempt_at > datetime.now(UTC)


async def test_a_key_that_paystack_rejects_stops_the_sweep_not_the_payments(paystack: Weather, brisk: None) -> None:
    ones = [await payment(verify_next_attempt_at=PAST) for _ in range(30)]
    paystack.then(refused(401, "invalid_Key"))
    async with living(Sweeper(sessions, clients().paystack).run):

        async def asked() -> bool:
            return bool(paystack.asked)

        await until(asked)
    assert len(paystack.asked) <= sweeper.CONCURRENCY  # what was on its way
    assert [(await found(one.reference)).status for one in ones] == ["pending"] * 30


async def test_what_is_old_is_asked_about_once_more_and_given_up(paystack: Weather, brisk: None) -> None:
    old, paid = await payment(verify_next_attempt_at=PAST), await payment(verify_next_attempt_at=PAST)
    async with sessions.begin() as session:
        await session.execute(update(Payment).values(created_at=PAST))
    paystack.then(
        by_reference((old.reference, told(old.reference, status="abandoned")), (paid.reference, told(paid.reference)))
    )
    async with living(Sweeper(sessions, clients().paystack).run):
        await until(standing((old.reference, "abandoned"), (paid.reference, "succeeded")))
    assert len(paystack.asked) == 2
    assert await outbox_types() == ["payment.succeeded"]


async def test_two_sweeps_share_the_work(paystack: Weather, brisk: None) -> None:
    ones = [await payment(verify_next_attempt_at=PAST) for _ in range(30)]
    paystack.then(by_reference(*((one.reference, told(one.reference)) for one in ones)))
    async with living(Sweeper(sessions, clients().paystack).run, Sweeper(sessions, clients().paystack).run):
        await until(standing(*((one.reference, "succeeded") for one in ones)))
    assert len(paystack.asked) == 30
    assert await outbox_types() == ["payment.succeeded"] * 30


async def test_a_declined_payment_that_is_paid_on_the_same_page_is_found_out(paystack: Weather, brisk: None) -> None:
    one = await payment(status="failed", verify_next_attempt_at=PAST)
    paystack.then(told(one.reference))
    async with living(Sweeper(sessions, clients().paystack).run):
        await until(standing((one.reference, "succeeded")))


async def test_what_is_given_up_is_asked_about_no_more(paystack: Weather, brisk: None) -> None:
    one = await payment(status="failed", verify_next_attempt_at=PAST)
    async with sessions.begin() as session:
        await session.execute(update(Payment).values(created_at=PAST))
    paystack.then(told(one.reference, status="failed"))
    async with living(Sweeper(sessions, clients().paystack).run):
        await until(standing((one.reference, "failed")))

        async def given_up() -> bool:
            return (await found(one.reference)).verify_next_attempt_at.year == 9999

        await until(given_up)
    assert len(paystack.asked) == 1
