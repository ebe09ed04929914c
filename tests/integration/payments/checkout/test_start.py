"""Starting a payment: one request, one payment; a reference is stored before Paystack receives it and is never sent twice."""

import asyncio
from collections import Counter
from uuid import UUID, uuid4

import httpx
import pytest

from services.payments.checkout.start import MAX_PENDING
from tests.factories.payments import create_card, create_payment
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack
from tests.fixtures.payments_rows import all_payments
from tests.fixtures.payments_start import ORDER, start

pytestmark = pytest.mark.usefixtures("order")


async def test_start_when_the_order_is_pending_returns_the_checkout_page(
    client: httpx.AsyncClient, customer: dict[str, str], catalog: FakeCatalog, paystack: FakePaystack
) -> None:
    answer = await start(client, customer, callback_url="https://shop.test/thanks", phone="+2348012345678")
    assert answer.status_code == 201
    view = answer.json()
    assert (view["status"], view["amount"], view["currency"]) == ("pending", 50_000, "NGN")
    assert view["authorization_url"] == f"https://pay.test/{view['reference']}"
    (asked,) = catalog.calls
    assert asked.headers["authorization"] == customer["Authorization"]
    assert asked.headers["x-request-id"] == answer.headers["x-request-id"]
    (sent,) = paystack.bodies_of("initialize")
    assert (sent["reference"], sent["amount"], sent["currency"]) == (view["reference"], 50_000, "NGN")
    assert (sent["email"], sent["metadata"]["order_id"]) == ("payer@example.com", ORDER)
    assert sent["callback_url"] == "http://payments.test/payments/callback"
    (stored,) = await all_payments()
    assert (stored.customer_id, stored.phone, stored.callback_url) == (
        "customer-1",
        "+2348012345678",
        "https://shop.test/thanks",
    )


async def test_start_when_paystack_is_called_has_its_reference_stored(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    held = paystack.hold("initialize")
    starting = asyncio.create_task(start(client, customer))
    await asyncio.wait_for(held.arrived.wait(), 5)
    stored = [one.reference for one in await all_payments()]
    held.release.set()
    assert stored == [(await starting).json()["reference"]]


@pytest.mark.parametrize("status", ["succeeded", "held", "partially_refunded", "disputed"])
async def test_start_when_the_order_was_paid_answers_409(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, status: str
) -> None:
    """catalog may not have received the event yet: the broker may be down."""
    paid = await create_payment(order_id=UUID(ORDER), status=status, paid_amount=50_000, paid_currency="NGN")
    answer = await start(client, customer)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_payable")
    assert answer.json()["reference"] == paid.reference
    assert paystack.calls == []


async def test_start_when_the_money_of_the_order_went_back_starts_another_payment(
    client: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    await create_payment(order_id=UUID(ORDER), status="refunded", paid_amount=49_000, refunded_amount=49_000)
    assert (await start(client, customer)).status_code == 201


async def test_start_when_the_key_is_repeated_returns_the_same_payment(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    first = await start(client, customer, "k-1")
    again = await start(client, customer, "k-1")
    assert (again.status_code, again.json()) == (201, first.json())
    other = await start(client, customer, "k-1", phone="+2348012345678")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await all_payments()) == len(paystack.calls_to("initialize")) == 1


async def test_start_when_the_key_arrives_twenty_times_at_once_starts_one_payment(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    answers = await asyncio.gather(*(start(client, customer, "k-1") for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["reference"] for answer in answers if answer.status_code == 201}) == 1
    assert len(await all_payments()) == len(paystack.calls_to("initialize")) == 1


async def test_start_when_sixty_requests_arrive_at_once_keeps_the_limit_of_pending_payments(
    client: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    answers = await asyncio.gather(*(start(client, customer) for _ in range(60)))
    assert Counter(answer.status_code for answer in answers) == {201: MAX_PENDING, 409: 60 - MAX_PENDING}
    assert len(await all_payments()) == MAX_PENDING


@pytest.mark.parametrize(
    ("amount", "currency", "rule"),
    [
        (4_999, "NGN", "the smallest payment in NGN is NGN 50.00"),
        (150_050, "XOF", "XOF has no fractions"),
        (100, "XOF", None),
        (5_000, "NGN", None),
    ],
)
@pytest.mark.parametrize("saved_card", [False, True])
async def test_start_refuses_exactly_the_amounts_that_paystack_does_not_accept_and_sends_none_of_them(
    client: httpx.AsyncClient,
    customer: dict[str, str],
    catalog: FakeCatalog,
    paystack: FakePaystack,
    amount: int,
    currency: str,
    rule: str | None,
    saved_card: bool,
) -> None:
    catalog.add_order(ORDER, amount=amount, currency=currency)
    path, body = "/payments", {"order_id": ORDER}
    if saved_card:
        path, body["card_id"] = "/payments/charge", str((await create_card()).id)
    answer = await client.post(path, json=body, headers={**customer, "Idempotency-Key": uuid4().hex})
    if rule is None:
        assert answer.status_code == 201
        return
    assert (answer.status_code, answer.json()["code"]) == (422, "amount_not_payable")
    assert rule in answer.json()["detail"]
    assert not paystack.calls
    assert not await all_payments()
