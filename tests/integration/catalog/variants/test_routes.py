"""Products with options have variants, each with its own SKU, prices and stock."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.factories.catalog import MUG, Headers, create_product, post_product
from tests.factories.events import payment_succeeded
from tests.fixtures.audit import audit_entries
from tests.fixtures.catalog import handle_events, status_of, stock_differences

MEDIUM, LARGE = {"size": "M", "colour": "red"}, {"size": "L", "colour": "red"}


async def post_shirt(client: httpx.AsyncClient, editor: Headers, **changes: Any) -> dict[str, Any]:
    body = {"name": "Shirt", "price": 10_000, "currency": "NGN", "options": ["size", "colour"]} | changes
    created = await client.post("/catalog/products", json=body, headers=editor)
    assert created.status_code == 201, created.text
    return dict(created.json())


async def post_variant(
    client: httpx.AsyncClient, editor: Headers, product: dict[str, Any], options: dict[str, str], **fields: Any
) -> httpx.Response:
    url = f"/catalog/products/{product['id']}/variants"
    return await client.post(url, json={"options": options, **fields}, headers=editor)


async def order(client: httpx.AsyncClient, customer: Headers, *items: dict[str, Any], **body: Any) -> httpx.Response:
    return await client.post("/catalog/orders", json={"items": list(items), **body}, headers=customer)


async def test_variants_when_created_then_each_has_its_own_sku_price_and_stock(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    shirt = await post_shirt(client, editor)
    medium = await post_variant(client, editor, shirt, MEDIUM, sku="S-M", stock=2)
    large = await post_variant(client, editor, shirt, LARGE, sku="S-L", prices={"NGN": 12_000, "USD": 900})
    assert (medium.status_code, large.status_code) == (201, 201), large.text
    listed = (await client.get(f"/catalog/products/{shirt['id']}/variants")).json()["items"]
    assert [(item["sku"], item["options"], item["prices"], item["availability"]) for item in listed] == [
        ("S-M", MEDIUM, {"NGN": 10_000}, "low"),
        ("S-L", LARGE, {"NGN": 12_000, "USD": 900}, "in_stock"),
    ]
    assert "stock" not in listed[0]
    assert (medium.json()["stock"], large.json()["stock"]) == (2, None)


async def test_order_when_it_names_variants_then_their_prices_and_stock_are_used(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    shirt = await post_shirt(client, editor)
    medium = (await post_variant(client, editor, shirt, MEDIUM, sku="S-M", stock=2)).json()
    large = (await post_variant(client, editor, shirt, LARGE, stock=5, prices={"NGN": 12_000})).json()
    lines = [{"product_id": shirt["id"], "variant_id": each["id"], "quantity": 2} for each in (medium, large)]
    placed = await order(client, customer, *lines)
    assert placed.status_code == 201, placed.text
    body = placed.json()
    assert body["amount"] == 2 * 10_000 + 2 * 12_000
    assert [(item["variant_id"], item["sku"], item["options"]) for item in body["items"]] == [
        (medium["id"], "S-M", MEDIUM),
        (large["id"], None, LARGE),
    ]
    assert (await client.get(f"/catalog/orders/{body['id']}", headers=customer)).json() == body
    refused = await order(client, customer, lines[0])
    assert (refused.status_code, refused.json()["code"]) == (409, "out_of_stock")
    assert refused.json()["products"] == [
        {"product_id": shirt["id"], "variant_id": medium["id"], "name": "Shirt", "wanted": 2, "left": 0}
    ]
    await handle_events(payment_succeeded(UUID(body["id"]), "r1", body["amount"]))
    assert await status_of(UUID(body["id"])) == "delivered"
    level = (await client.get(f"/catalog/variants/{large['id']}/stock", headers=editor)).json()
    assert (level["on_hand"], level["reserved"]) == (3, 0)
    assert await stock_differences() == []


async def test_availability_when_a_product_has_variants_then_it_counts_them_all(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    shirt = await post_shirt(client, editor)
    url = f"/catalog/products/{shirt['id']}?include=stock"

    async def shown() -> tuple[str, int | None]:
        found = (await client.get(url)).json()
        return found["availability"], found["stock"]

    assert await shown() == ("out", 0)
    medium = (await post_variant(client, editor, shirt, MEDIUM, stock=2)).json()
    assert await shown() == ("low", 2)
    await post_variant(client, editor, shirt, LARGE, stock=5)
    assert await shown() == ("in_stock", 7)
    await order(client, customer, {"product_id": shirt["id"], "variant_id": medium["id"], "quantity": 2})
    assert await shown() == ("low", 5)
    await post_variant(client, editor, shirt, {"size": "S", "colour": "red"})
    assert await shown() == ("in_stock", None)


async def test_order_when_a_currency_is_chosen_then_the_prices_in_it_apply(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    shirt = await post_shirt(client, editor)
    medium = (await post_variant(client, editor, shirt, MEDIUM, prices={"USD": 900})).json()
    line = {"product_id": shirt["id"], "variant_id": medium["id"], "quantity": 1}
    dollars = (await order(client, customer, line, currency="USD")).json()
    assert (dollars["amount"], dollars["currency"]) == (900, "USD")
    assert (await order(client, customer, line)).json()["currency"] == "NGN"
    refused = await order(client, customer, line, currency="GHS")
    assert (refused.status_code, refused.json()["code"]) == (422, "price_missing")
    cup = await create_product()
    mixed = await order(client, customer, line, {"product_id": str(cup), "quantity": 1}, currency="USD")
    assert (mixed.status_code, mixed.json()["code"]) == (422, "price_missing")


async def test_order_when_the_variant_is_missing_or_belongs_to_another_product_then_it_is_refused(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    shirt, cup = await post_shirt(client, editor), await create_product()
    medium = (await post_variant(client, editor, shirt, MEDIUM)).json()
    unnamed = await order(client, customer, {"product_id": shirt["id"], "quantity": 1})
    assert (unnamed.status_code, unnamed.json()["code"]) == (422, "variant_required")
    for variant in (medium["id"], str(uuid4())):
        wrong = await order(client, customer, {"product_id": str(cup), "variant_id": variant, "quantity": 1})
        assert (wrong.status_code, wrong.json()["code"]) == (404, "product_not_found")
    same = await order(client, customer, {"product_id": str(cup), "variant_id": str(cup), "quantity": 1})
    assert same.json()["items"][0]["variant_id"] == str(cup)


async def test_stock_when_the_product_has_options_or_the_variant_is_unknown_then_it_is_not_found(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    shirt = await post_shirt(client, editor)
    for path in (f"products/{shirt['id']}", f"variants/{uuid4()}"):
        missing = await client.get(f"/catalog/{path}/stock", headers=editor)
        assert (missing.status_code, missing.json()["code"]) == (404, "stock_not_found")


async def test_create_variant_when_it_does_not_fit_then_the_code_says_why(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    shirt, mug = await post_shirt(client, editor), await post_product(client, editor)
    await post_variant(client, editor, shirt, MEDIUM, sku="S-M")
    for product, options, fields, expected in (
        (shirt, {"size": "L"}, {}, (422, "options_differ")),
        (shirt, LARGE | {"fit": "slim"}, {}, (422, "options_differ")),
        (mug, MEDIUM, {}, (422, "options_differ")),
        (shirt, MEDIUM, {}, (409, "variant_exists")),
        (shirt, LARGE, {"sku": "S-M"}, (409, "variant_exists")),
        (shirt, LARGE, {"prices": {"XOF": 150}}, (422, "price_not_whole")),
        ({"id": str(uuid4())}, MEDIUM, {}, (404, "product_not_found")),
        (shirt, {}, {}, (422, "invalid_request")),
        (shirt, LARGE, {"sku": "a b"}, (422, "invalid_request")),
        (shirt, LARGE, {"prices": {"EUR": 1}}, (422, "invalid_request")),
    ):
        refused = await post_variant(client, editor, product, options, **fields)
        assert (refused.status_code, refused.json()["code"]) == expected
    assert (await post_variant(client, customer, shirt, LARGE)).status_code == 403


@pytest.mark.parametrize(
    "fields", [{"stock": 1}, {"options": ["a", "b", "c", "d"]}, {"options": ["a", "a"]}, {"options": [""]}]
)
async def test_create_product_when_its_options_are_invalid_then_422(
    client: httpx.AsyncClient, editor: Headers, fields: dict[str, Any]
) -> None:
    body = {"name": "Shirt", "price": 1, "currency": "NGN", "options": ["size"], **fields}
    assert (await client.post("/catalog/products", json=body, headers=editor)).status_code == 422


async def test_create_variant_when_there_are_100_then_409(client: httpx.AsyncClient, editor: Headers) -> None:
    shirt = await post_shirt(client, editor, options=["size"])
    for number in range(100):
        assert (await post_variant(client, editor, shirt, {"size": str(number)})).status_code == 201
    refused = await post_variant(client, editor, shirt, {"size": "100"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_variants")
    assert len((await client.get(f"/catalog/products/{shirt['id']}/variants")).json()["items"]) == 100


async def test_update_and_delete_variant_when_orders_refer_to_it_then_it_can_be_changed_and_not_deleted(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    shirt = await post_shirt(client, editor)
    medium = (await post_variant(client, editor, shirt, MEDIUM, sku="S-M")).json()
    large = (await post_variant(client, editor, shirt, LARGE)).json()
    await order(client, customer, {"product_id": shirt["id"], "variant_id": medium["id"], "quantity": 1})
    before = (await client.get(f"/catalog/products/{shirt['id']}")).headers["etag"]
    changed = await client.patch(f"/catalog/variants/{medium['id']}", json={"prices": {"NGN": 7}}, headers=editor)
    assert (changed.status_code, changed.json()["prices"], changed.json()["sku"]) == (200, {"NGN": 7}, "S-M")
    assert (await client.get(f"/catalog/products/{shirt['id']}")).headers["etag"] != before
    taken = await client.patch(f"/catalog/variants/{large['id']}", json={"sku": "S-M"}, headers=editor)
    assert (taken.status_code, taken.json()["code"]) == (409, "variant_exists")
    ordered = await client.delete(f"/catalog/variants/{medium['id']}", headers=editor)
    assert (ordered.status_code, ordered.json()["code"]) == (409, "variant_ordered")
    assert (await client.delete(f"/catalog/variants/{large['id']}", headers=editor)).status_code == 204
    missing = await client.delete(f"/catalog/variants/{large['id']}", headers=editor)
    assert (missing.status_code, missing.json()["code"]) == (404, "variant_not_found")
    acts = [entry["act"] for entry in await audit_entries(client, "catalog", editor, subject=shirt["id"])]
    assert acts == ["variant.deleted", "variant.changed", "variant.created", "variant.created", "product.created"]


async def test_product_without_options_then_it_has_one_variant_with_its_id_that_cannot_be_deleted(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    mug = await post_product(client, editor)
    (only,) = (await client.get(f"/catalog/products/{mug['id']}/variants")).json()["items"]
    assert (only["id"], only["options"], only["prices"]) == (mug["id"], {}, {"NGN": MUG["price"]})
    kept = await client.delete(f"/catalog/variants/{mug['id']}", headers=editor)
    assert (kept.status_code, kept.json()["code"]) == (409, "default_variant")
    moved = await client.post(
        f"/catalog/variants/{mug['id']}/stock-movements",
        json={"kind": "received", "quantity": 3, "reason": "x"},
        headers=editor | {"Idempotency-Key": uuid4().hex},
    )
    assert moved.json()["on_hand"] == 8
    sku = await client.patch(f"/catalog/variants/{mug['id']}", json={"sku": "MUG"}, headers=editor)
    assert sku.json()["sku"] == "MUG"
    placed = await order(client, customer, {"product_id": mug["id"], "quantity": 1})
    assert placed.json()["items"][0]["sku"] == "MUG"
