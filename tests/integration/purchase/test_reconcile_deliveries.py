"""Deliveries of catalog agree with payments after real purchases, and a difference in either database is found."""

from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr
from sqlalchemy import text

from kit.http.client import HttpClient
from kit.worker.shutdown import Shutdown
from services.payments.db import sessions
from services.payments.deliveries_client import DeliveriesClient
from services.payments.reconciliation.deliveries import DeliveryComparison
from services.payments.reconciliation.report import Report
from tests.fixtures.in_process_shop import InProcessShop
from tests.fixtures.tokens import Signer


async def compared(shop: InProcessShop, signer: Signer) -> list[tuple[str, str | None]]:
    """Compare with a token as auth would issue it to the client of payments. Return kind and reference of each difference."""
    token = signer.token("payments", scopes=frozenset({"orders:read"}), client_id="payments", email=None)

    def issue(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"access_token": token, "expires_in": 900})

    now = datetime.now(UTC)
    report = Report(since=now - timedelta(days=1), until=now + timedelta(minutes=1))
    mounts = {"http://catalog.test": shop.catalog_transport, "http://auth.test": httpx.MockTransport(issue)}
    async with HttpClient(mounts=mounts) as http:
        urls = ("http://catalog.test", "http://auth.test/auth/token")
        client = DeliveriesClient(http, *urls, "payments", SecretStr("a secret of the tests"), Shutdown())
        await DeliveryComparison(sessions, report, client).compare()
    return [(one.kind, one.reference) for one in report.differences]


async def buy(shop: InProcessShop, product: str) -> tuple[str, str]:
    """Order one, pay, and let all events take effect. Return the order's id and the reference of the payment."""
    order = (await shop.place_order(product)).json()["id"]
    reference = (await shop.request("POST", "/payments", {"order_id": order})).json()["reference"]
    one = shop.paystack.transactions[reference]
    shop.paystack.pay(one, paid=one.requested)
    await shop.run_round()
    return order, reference


async def test_deliveries_when_purchases_are_complete_agree_and_changed_rows_are_found(
    shop: InProcessShop, signer: Signer
) -> None:
    product = await shop.create_product(stock=9)
    (delivered, first), (_, refunded), (_, third) = [await buy(shop, product) for _ in range(3)]
    await shop.request_refund(refunded)
    undeliverable = (await shop.place_order(product)).json()["id"]
    late = (await shop.request("POST", "/payments", {"order_id": undeliverable})).json()["reference"]
    await shop.request("POST", f"/catalog/orders/{undeliverable}/cancel")
    one = shop.paystack.transactions[late]
    shop.paystack.pay(one, paid=one.requested)
    for _ in range(3):
        await shop.run_round()
    await shop.advance_hours()  # so that no payment has just changed
    assert await compared(shop, signer) == []
    async with shop.catalog.sessions.begin() as session:
        await session.execute(text("DELETE FROM deliveries WHERE order_id = :id"), {"id": delivered})
    async with sessions.begin() as session:
        await session.execute(text("UPDATE payments SET amount = amount + 1 WHERE reference = :one"), {"one": third})
    assert sorted(await compared(shop, signer)) == sorted(
        [("payment_without_delivery", first), ("delivery_differs", third)]
    )
