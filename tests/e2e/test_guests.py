"""A guest buys, and logs in to an account and merges into it, or registers: the order and the payment belong to the account.

The holder of the status token reads the status of the order all the time without logging in.
"""

import asyncio
from pathlib import Path

import httpx

from tests.fixtures.auth import AuthClient
from tests.fixtures.stack_client import Json, StackClient, until


def bearer(tokens: Json) -> Json:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def status_of(shop: StackClient, order: Json) -> str:
    """Return the status of an order, read with its status token only."""
    url = f"{shop.env['CATALOG_URL']}/catalog/orders/status/{order['status_token']}"
    answer = await shop.call("GET", url, expect=200)
    assert answer.headers["cache-control"] == "no-store"
    assert order["customer_id"] not in answer.text
    return str(answer.json()["status"])


async def test_guest_when_merged_into_an_account_gives_it_order_payment_and_status_token(shop: StackClient) -> None:
    async with httpx.AsyncClient(base_url=shop.env["AUTH_URL"], trust_env=False, timeout=30) as http:
        auth = AuthClient(http)
        guest = (await http.post("/auth/guests")).json()
        order = await shop.order(bearer(guest), await shop.product())
        payment = await shop.start_payment(bearer(guest), order, email="guest@example.com")
        assert await status_of(shop, order) == "pending"
        await shop.pay(payment["reference"])
        await shop.wait_delivered(bearer(guest), order)
        assert await status_of(shop, order) == "delivered"
        account = (await auth.register()).json()
        tokens = (await auth.login(account["email"])).json()
        body = {"refresh_token": guest["refresh_token"]}
        merged = await http.post("/auth/guests/merge", json=body, headers=bearer(tokens))
        assert merged.status_code == 204, merged.text
    order_url = f"{shop.env['CATALOG_URL']}/catalog/orders/{order['id']}"
    payment_url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}"

    async def moved() -> bool | None:
        answers = [await shop.call("GET", url, headers=bearer(tokens)) for url in (order_url, payment_url)]
        return [answer.status_code for answer in answers] == [200, 200] or None

    await until(moved)
    found = (await shop.call("GET", order_url, headers=bearer(tokens), expect=200)).json()
    assert (found["customer"]["id"], found["customer"]["email"]) == (account["id"], account["email"])
    assert (found["status_token"], await status_of(shop, order)) == (order["status_token"], "delivered")
    # The invariants compare the orders of each customer with those that were answered with 201.
    shop.acknowledged.orders[order["customer_id"]].remove(order["id"])
    shop.acknowledged.orders.setdefault(account["id"], set()).add(order["id"])


async def test_status_token_when_used_is_in_no_log_of_the_services(shop: StackClient, stack_log: Path) -> None:
    order = await shop.order(shop.bearer(), await shop.product())
    await status_of(shop, order)
    page = f"{shop.env['CATALOG_URL']}/catalog/orders/status/{order['status_token']}/page"
    await shop.call("GET", page, expect=200)

    async def logged() -> str | None:
        text = await asyncio.to_thread(stack_log.read_text)
        return text if "/catalog/orders/status/{status_token}/page" in text else None

    assert order["status_token"] not in await until(logged)


async def test_guest_when_registered_keeps_its_order(shop: StackClient) -> None:
    async with httpx.AsyncClient(base_url=shop.env["AUTH_URL"], trust_env=False, timeout=30) as http:
        auth = AuthClient(http)
        guest = (await http.post("/auth/guests")).json()
        order = await shop.order(bearer(guest), await shop.product())
        body = {"email": f"{order['id']}@example.com", "password": "a gate of nine hinges"}
        registered = await http.post("/auth/users", json=body, headers=bearer(guest))
        assert registered.status_code == 201, registered.text
        tokens = (await auth.login(body["email"])).json()
    url = f"{shop.env['CATALOG_URL']}/catalog/orders/{order['id']}"

    async def known() -> bool | None:
        customer = (await shop.call("GET", url, headers=bearer(tokens), expect=200)).json()["customer"]
        return customer["email"] == body["email"] or None

    await until(known)
    assert await status_of(shop, order) == "pending"
