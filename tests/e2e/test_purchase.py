"""A purchase with real processes, and the sources of its settlement: webhook, return, `verify` and sweeper."""

import asyncio
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from dev.chaos.invariants import Invariants
from dev.process.console import Console
from tests.fixtures.stack_client import StackClient, until

TRACED_PROCESSES = {"catalog", "payments", "payments-worker", "catalog-worker"}
pytestmark = pytest.mark.usefixtures("invariants")


async def test_purchase_from_registration_to_delivery(shop: StackClient) -> None:
    email, password = f"{uuid4().hex}@example.com", "correct horse battery staple"
    auth, catalog = shop.env["AUTH_URL"], shop.env["CATALOG_URL"]
    await shop.call("POST", f"{auth}/auth/users", json={"email": email, "password": password}, expect=201)
    form = {"grant_type": "password", "username": email, "password": password}
    token = (await shop.call("POST", f"{auth}/auth/token", data=form, expect=200)).json()
    buyer = {"Authorization": f"Bearer {token['access_token']}"}
    product = await shop.product(stock=3)

    order = await shop.order(buyer, product, quantity=2)
    assert (order["status"], order["amount"], order["currency"]) == ("pending", 100_000, "NGN")
    payment = await shop.start_payment(
        buyer, order, callback_url="https://shop.example/thanks?cart=7", phone="+2348012345678"
    )
    assert (payment["status"], payment["amount"], payment["currency"]) == ("pending", 100_000, "NGN")
    page = await shop.call("GET", payment["authorization_url"], expect=200)
    assert "text/html" in page.headers["content-type"]

    await shop.pay(payment["reference"])
    await shop.wait_delivered(buyer, order)
    settled = await shop.payment(buyer, payment["reference"])
    assert (settled["status"], settled["paid_amount"]) == ("succeeded", 100_000)
    assert await shop.stock(product) == 1
    listed = await shop.call("GET", f"{catalog}/catalog/products", params={"q": product["name"]}, expect=200)
    assert [item["id"] for item in listed.json()["items"]] == [product["id"]]


async def test_purchase_has_one_trace_in_the_logs_of_all_services(shop: StackClient, console: Console) -> None:
    customer = shop.bearer()
    order = await shop.order(customer, await shop.product())
    trace = uuid4().hex
    payment = await shop.start_payment({**customer, "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}, order)
    await shop.pay(payment["reference"])
    await shop.wait_delivered(customer, order)
    rows = await Invariants(shop.stack).rows(
        "catalog", f"SELECT headers FROM inbox WHERE headers::text LIKE '%{trace}%'"
    )
    assert len(rows) == 2  # payment.started and payment.succeeded

    async def logged() -> set[str] | None:
        found = {name for name in TRACED_PROCESSES if any(trace in line for line in console.recent_lines(name))}
        return found if found == TRACED_PROCESSES else None

    await until(logged, 15)


async def test_payment_whose_webhook_is_lost_is_settled_by_the_payers_return(shop: StackClient) -> None:
    buyer, order, payment = await shop.begin_purchase(
        await shop.product(), callback_url="https://shop.example/thanks?cart=7"
    )
    await shop.pay(payment["reference"], deliveries=0)
    url = f"{shop.env['PAYMENTS_URL']}/payments/callback"
    query = {"trxref": payment["reference"], "reference": payment["reference"]}
    back = await shop.call("GET", url, params=query, expect=303)
    target = urlsplit(back.headers["location"])
    assert (target.netloc, target.path) == ("shop.example", "/thanks")
    assert parse_qs(target.query)["reference"] == [payment["reference"]]
    assert parse_qs(target.query)["cart"] == ["7"]
    await shop.wait_delivered(buyer, order)


async def test_payment_whose_webhook_is_lost_is_settled_by_verify(shop: StackClient) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    await shop.pay(payment["reference"], deliveries=0)
    url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}/verify"
    verified = await shop.call("POST", url, headers=buyer, expect=200)
    assert verified.json()["status"] == "succeeded"
    await shop.wait_delivered(buyer, order)


async def test_payment_whose_webhook_is_lost_is_settled_by_the_sweeper(shop: StackClient) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    await shop.pay(payment["reference"], deliveries=0)
    await shop.wait_delivered(buyer, order)


async def test_payment_when_all_sources_report_at_once_is_settled_once(shop: StackClient) -> None:
    product = await shop.product(stock=10)
    buyer, order, payment = await shop.begin_purchase(product)
    url = f"{shop.env['PAYMENTS_URL']}/payments"
    await shop.pay(payment["reference"], deliveries=5)
    await asyncio.gather(
        *(shop.client.post(f"{url}/{payment['reference']}/verify", headers=buyer) for _ in range(5)),
        *(shop.client.get(f"{url}/callback", params={"reference": payment["reference"]}) for _ in range(5)),
    )
    await shop.wait_delivered(buyer, order)
    assert await shop.stock(product) == 9


async def test_webhook_delivered_fifty_times_at_once_is_processed_once(shop: StackClient) -> None:
    product = await shop.product(stock=10)
    buyer, order, payment = await shop.begin_purchase(product)
    await shop.pay(payment["reference"], deliveries=50)

    async def all_delivered() -> bool | None:
        url = f"{shop.env['SANDBOX_URL']}/sandbox/transactions/{payment['reference']}"
        sent = (await shop.call("GET", url, expect=200)).json()["data"]["webhooks"]
        return True if len(sent) == 50 and all(one["state"] == "delivered" for one in sent) else None

    await until(all_delivered)
    await shop.wait_delivered(buyer, order)
    assert await shop.stock(product) == 9
    rows = await Invariants(shop.stack).rows(
        "payments", f"SELECT outcome FROM webhook_events WHERE reference = '{payment['reference']}'"
    )
    assert [row["outcome"] for row in rows] == ["succeeded"]


async def test_declined_payment_delivers_nothing_and_the_next_payment_does(shop: StackClient) -> None:
    buyer, order, first = await shop.begin_purchase(await shop.product())
    await shop.pay(first["reference"], outcome="failed")
    url = f"{shop.env['PAYMENTS_URL']}/payments/{first['reference']}/verify"
    assert (await shop.call("POST", url, headers=buyer, expect=200)).json()["status"] == "failed"
    assert await shop.order_status(buyer, order) == "pending"
    second = await shop.start_payment(buyer, order)
    assert second["reference"] != first["reference"]
    await shop.pay(second["reference"])
    await shop.wait_delivered(buyer, order)


async def test_two_paid_attempts_deliver_once_and_refund_one(shop: StackClient) -> None:
    product = await shop.product(stock=5)
    buyer, order, first = await shop.begin_purchase(product)
    second = await shop.start_payment(buyer, order)
    await asyncio.gather(shop.pay(first["reference"]), shop.pay(second["reference"]))
    await shop.wait_delivered(buyer, order)

    async def refunded() -> list[int] | None:
        found = [await shop.payment(buyer, payment["reference"]) for payment in (first, second)]
        statuses = sorted(payment["status"] for payment in found)
        return [payment["refunded_amount"] for payment in found] if statuses == ["refunded", "succeeded"] else None

    assert sorted(await until(refunded)) == [0, 50_000]
    assert await shop.order_status(buyer, order) == "delivered"
    assert await shop.stock(product) == 4
