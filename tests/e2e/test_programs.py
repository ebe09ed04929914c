"""A program, which is registered with the command of auth, orders and pays for its customer, and erases the customer at the end."""

from uuid import uuid4

import pytest

from dev.cli.programs import create_program
from tests.fixtures.programs import BOTH, CHIDI
from tests.fixtures.stack_client import Json, StackClient

pytestmark = pytest.mark.usefixtures("invariants")


async def token(shop: StackClient, client_id: str, secret: str, **form: str) -> Json:
    """Return the Authorization header with a new token of the program."""
    sent = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, **form}
    answer = await shop.call("POST", f"{shop.env['AUTH_URL']}/auth/token", data=sent, expect=200)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def register(shop: StackClient) -> tuple[str, str]:
    """Register a program that acts for its customers, and return its id and secret."""
    client_id = f"merchant-{uuid4().hex[:8]}"
    return client_id, await create_program(
        shop.env["AUTH_URL"], shop.env["AUTH_DATABASE_URL"], client_id, *sorted(BOTH)
    )


async def test_program_orders_and_pays_for_its_customer_until_the_delivery_and_erases_the_customer(
    shop: StackClient,
) -> None:
    catalog, payments = (shop.env[f"{name}_URL"] for name in ("CATALOG", "PAYMENTS"))
    program, secret = await register(shop)
    merchant, other = await token(shop, program, secret), await token(shop, *await register(shop))
    product = await shop.product()
    body = {"items": [{"product_id": product["id"], "quantity": 1}], "customer": CHIDI, "metadata": {"basket": "17"}}

    only_payments = await token(shop, program, secret, scope="payments:write_for")
    await shop.call("POST", f"{catalog}/catalog/orders", json=body, headers=only_payments, expect=403)
    order = (await shop.call("POST", f"{catalog}/catalog/orders", json=body, headers=merchant, expect=201)).json()
    assert order["customer"] == {"id": program, **CHIDI}

    only_orders = await token(shop, program, secret, scope="orders:write_for")
    start = {"order_id": order["id"]}
    await shop.call("POST", f"{payments}/payments", json=start, headers=only_orders, expect=403)
    await shop.call("POST", f"{payments}/payments", json=start, headers=other, expect=404)
    payment = (await shop.call("POST", f"{payments}/payments", json=start, headers=only_payments, expect=201)).json()
    assert (payment["customer"], payment["metadata"]) == (CHIDI, {"basket": "17"})
    await shop.pay(payment["reference"])
    await shop.wait_delivered(merchant, order)

    for url, found in ((f"{catalog}/catalog/orders", order["id"]), (f"{payments}/payments", payment["reference"])):
        for headers, expected in ((merchant, [found]), (other, [])):
            query = {"external_id": CHIDI["external_id"]}
            items = (await shop.call("GET", url, params=query, headers=headers, expect=200)).json()["items"]
            assert [each.get("reference") or each["id"] for each in items] == expected
        await shop.call("GET", f"{url}/{found}", headers=other, expect=404)

    for url in (f"{catalog}/catalog", f"{payments}/payments"):
        erase, person = f"{url}/programs/{program}/customers/erase", {"external_id": CHIDI["external_id"]}
        await shop.call("POST", erase, json=person, headers=other, expect=403)
        await shop.call("POST", erase, json=person, headers=merchant, expect=200)
    nobody = dict.fromkeys(CHIDI)
    shown = (await shop.call("GET", f"{catalog}/catalog/orders/{order['id']}", headers=merchant)).json()
    assert (shown["status"], shown["customer"]) == ("delivered", {"id": program, **nobody})
    assert (await shop.payment(merchant, payment["reference"]))["customer"] == nobody
