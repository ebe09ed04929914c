"""Orders get their price and their stock when they are placed."""

from uuid import UUID, uuid4

import httpx
import pytest

from tests.factories.catalog import ANY_VERSION, Headers, create_product, place_order
from tests.factories.events import payment_succeeded
from tests.fixtures.catalog import handle_events, status_of, stock_of

PROBLEM = "application/problem+json"


async def test_place_when_stock_suffices_then_price_and_stock_are_fixed(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup, tea = await create_product(5, price=30_000), await create_product(None, price=100_000, name="Tea")
    response = await place_order(client, customer, {cup: 2, tea: 3})
    assert response.status_code == 201
    order = response.json()
    assert (order["status"], order["amount"], order["currency"]) == ("pending", 360_000, "NGN")
    assert [(item["product_id"], item["quantity"], item["unit_price"], item["amount"]) for item in order["items"]] == [
        (str(cup), 2, 30_000, 60_000),
        (str(tea), 3, 100_000, 300_000),
    ]
    assert order["expires_at"] > order["created_at"]
    assert (await client.get(f"/catalog/orders/{order['id']}", headers=customer)).json() == order
    assert (await stock_of(cup), await stock_of(tea)) == (3, None)


async def test_place_when_two_lines_have_one_product_then_they_are_added_up(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(3)
    lines = [{"product_id": str(cup), "quantity": 2}, {"product_id": str(cup), "quantity": 2}]
    response = await client.post("/catalog/orders", json={"items": lines}, headers=customer)
    assert response.status_code == 409
    assert response.json()["code"] == "out_of_stock"
    assert response.json()["products"] == [{"product_id": str(cup), "name": "Cup", "wanted": 4, "left": 3}]
    assert await stock_of(cup) == 3
    lines[1]["quantity"] = 1
    order = (await client.post("/catalog/orders", json={"items": lines}, headers=customer)).json()
    assert [item["quantity"] for item in order["items"]] == [3]
    assert await stock_of(cup) == 0


async def test_place_when_the_price_changes_later_then_the_order_keeps_its_price(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    cup = await create_product(5, price=30_000)
    placed = (await place_order(client, customer, {cup: 1})).json()
    await client.patch(
        f"/catalog/products/{cup}", json={"price": 99_900, "name": "Grail"}, headers=editor | ANY_VERSION
    )
    order = (await client.get(f"/catalog/orders/{placed['id']}", headers=customer)).json()
    assert (order["amount"], order["items"][0]["name"]) == (30_000, "Cup")
    await handle_events(payment_succeeded(UUID(placed["id"]), "r1", 30_000))
    assert await status_of(UUID(placed["id"])) == "delivered"


@pytest.mark.parametrize(
    "quantity", ["0", "-1", "2147483648", "1001", "1.5", "1e308", "1e3", '"1"', "NaN", "null", "true", "[]", "9" * 5000]
)
async def test_place_when_quantity_is_invalid_then_it_is_refused(
    client: httpx.AsyncClient, customer: Headers, quantity: str
) -> None:
    cup = await create_product(5)
    body = f'{{"items": [{{"product_id": "{cup}", "quantity": {quantity}}}]}}'
    json_type = {"Content-Type": "application/json"}
    response = await client.post("/catalog/orders", content=body, headers=customer | json_type)
    assert response.status_code in {400, 422}, response.text
    assert response.headers["content-type"] == PROBLEM
    assert await stock_of(cup) == 5


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{}", '{"items": []}', '{"items": null}', '{"items": [{}]}', "{", "[" * 20_000,
             '{"items": [{"product_id": "x", "quantity": 1}]}',
             '{"items": "\\ud800"}']
)  # fmt: skip
async def test_place_when_body_is_invalid_then_it_is_refused(
    client: httpx.AsyncClient, customer: Headers, body: str
) -> None:
    json_type = {"Content-Type": "application/json"}
    response = await client.post("/catalog/orders", content=body, headers=customer | json_type)
    assert response.status_code in {400, 422}, response.text
    assert response.headers["content-type"] == PROBLEM


async def test_place_when_there_are_more_than_50_lines_then_422(client: httpx.AsyncClient, customer: Headers) -> None:
    cup = await create_product()
    lines = [{"product_id": str(cup), "quantity": 1}]
    assert (await client.post("/catalog/orders", json={"items": lines * 51}, headers=customer)).status_code == 422
    assert (await client.post("/catalog/orders", json={"items": lines * 50}, headers=customer)).status_code == 201


async def test_place_when_products_do_not_allow_it_then_the_code_says_why(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    naira, dollars = await create_product(), await create_product(currency="USD")
    expensive = await create_product(price=1_000_000_000)
    for quantities, code, status in (
        ({uuid4(): 1}, "product_not_found", 404),
        ({naira: 1, dollars: 1}, "currencies_differ", 422),
        ({expensive: 2}, "amount_too_large", 422),
    ):
        response = await place_order(client, customer, quantities)
        assert (response.status_code, response.json()["code"]) == (status, code)


async def test_place_when_a_product_or_a_variant_does_not_exist_then_the_detail_names_it(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup, unknown = str(await create_product()), str(uuid4())
    for item, name in (
        ({"product_id": unknown}, f"product {unknown}"),
        ({"product_id": cup, "variant_id": unknown}, f"variant {unknown} of the product {cup}"),
    ):
        response = await client.post("/catalog/orders", json={"items": [{**item, "quantity": 1}]}, headers=customer)
        assert response.json()["detail"] == f"There is no {name}. Remove it from the order."


@pytest.mark.parametrize(
    ("currency", "price", "rule"),
    [
        ("NGN", 4_999, "the smallest payment in NGN is NGN 50.00, and this is NGN 49.99"),
        ("GHS", 9, "the smallest payment in GHS is GHS 0.10, and this is GHS 0.09"),
        ("USD", 199, "the smallest payment in USD is USD 2.00, and this is USD 1.99"),
    ],
)
async def test_place_when_the_amount_is_below_the_minimum_of_its_currency_then_it_is_refused(
    client: httpx.AsyncClient, customer: Headers, currency: str, price: int, rule: str
) -> None:
    cheap = await create_product(5, price=price, currency=currency)
    refused = await place_order(client, customer, {cheap: 1})
    assert (refused.status_code, refused.json()["code"]) == (422, "amount_too_small")
    assert rule in refused.json()["detail"]
    assert await stock_of(cheap) == 5
    assert (await place_order(client, customer, {cheap: 2})).status_code == 201
