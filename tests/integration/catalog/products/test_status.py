"""Drafts and archived products are hidden and refuse new orders; what was ordered is still delivered."""

from uuid import UUID

import httpx

from tests.factories.catalog import ANY_VERSION, Headers, place_order, post_product
from tests.factories.events import payment_succeeded
from tests.fixtures.catalog import handle_events, product_names, status_of


async def set_status(client: httpx.AsyncClient, editor: Headers, product_id: str, status: str) -> None:
    url = f"/catalog/products/{product_id}"
    changed = await client.patch(url, json={"status": status}, headers=editor | ANY_VERSION)
    assert (changed.status_code, changed.json()["status"]) == (200, status)


async def test_product_when_not_active_then_only_editors_see_it(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    draft = await post_product(client, editor, name="Draft", status="draft")
    await post_product(client, editor, name="Sold")
    old = await post_product(client, editor, name="Old")
    await set_status(client, editor, old["id"], "archived")
    for product in (draft, old):
        for name in (product["id"], product["slug"]):
            for caller in ({}, customer, {"Authorization": "Bearer x"}):
                hidden = await client.get(f"/catalog/products/{name}", headers=caller)
                assert (hidden.status_code, hidden.json()["code"]) == (404, "product_not_found")
            assert (await client.get(f"/catalog/products/{name}", headers=editor)).status_code == 200
    assert await product_names(client) == ["Sold"]
    archived = await client.get("/catalog/products", params={"status": "archived"}, headers=editor)
    assert [item["name"] for item in archived.json()["items"]] == ["Old"]
    refused = await client.get("/catalog/products", params={"status": "draft"}, headers=customer)
    assert (refused.status_code, refused.json()["code"]) == (403, "status_filter_not_allowed")


async def test_product_when_archived_then_new_orders_are_refused_and_paid_ones_delivered(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    mug = await post_product(client, editor)
    order = (await place_order(client, customer, {UUID(mug["id"]): 1})).json()
    for status in ("archived", "draft"):
        await set_status(client, editor, mug["id"], status)
        refused = await place_order(client, customer, {UUID(mug["id"]): 1})
        assert (refused.status_code, refused.json()["code"]) == (409, "product_not_offered")
        assert refused.json()["products"] == [mug["id"]]
    await handle_events(payment_succeeded(UUID(order["id"]), "r1", mug["price"]))
    assert await status_of(UUID(order["id"])) == "delivered"
    await set_status(client, editor, mug["id"], "active")
    assert (await place_order(client, customer, {UUID(mug["id"]): 1})).status_code == 201


async def test_delete_product_when_an_order_refers_to_it_then_409_else_it_is_gone(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    ordered, unused = await post_product(client, editor), await post_product(client, editor, tags=["x"])
    await place_order(client, customer, {UUID(ordered["id"]): 1})
    refused = await client.delete(f"/catalog/products/{ordered['id']}", headers=editor | ANY_VERSION)
    assert (refused.status_code, refused.json()["code"]) == (409, "product_ordered")
    url = f"/catalog/products/{unused['id']}"
    assert (await client.delete(url, headers=customer | ANY_VERSION)).status_code == 403
    assert (await client.delete(url, headers=editor | ANY_VERSION)).status_code == 204
    assert (await client.get(url)).status_code == 404
    assert (await client.delete(url, headers=editor | ANY_VERSION)).status_code == 404


async def test_get_product_when_its_slug_changed_then_the_old_one_redirects_to_the_new_one(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    mug = await post_product(client, editor, slug="first")
    url = f"/catalog/products/{mug['id']}"
    for slug in ("second", "third"):
        assert (await client.patch(url, json={"slug": slug}, headers=editor | ANY_VERSION)).json()["slug"] == slug
    for slug in ("first", "second"):
        moved = await client.get(f"/catalog/products/{slug}")
        assert (moved.status_code, moved.headers["location"]) == (301, "/catalog/products/third")
    other = await post_product(client, editor, name="Other", slug="first")
    assert (await client.get("/catalog/products/first")).json()["id"] == other["id"]
    taken = await client.patch(url, json={"slug": "first"}, headers=editor | ANY_VERSION)
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")
    back = await client.patch(url, json={"slug": "second"}, headers=editor | ANY_VERSION)
    assert back.status_code == 200
    assert (await client.get("/catalog/products/second")).json()["id"] == mug["id"]
    assert (await client.get("/catalog/products/third")).headers["location"] == "/catalog/products/second"
    await set_status(client, editor, mug["id"], "archived")
    assert (await client.get("/catalog/products/third")).status_code == 404


async def test_get_product_when_its_slug_changed_often_then_the_newest_20_redirect(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    mug = await post_product(client, editor, slug="s0")
    for number in range(1, 23):
        change = {"slug": f"s{number}"}
        await client.patch(f"/catalog/products/{mug['id']}", json=change, headers=editor | ANY_VERSION)
    found = [(await client.get(f"/catalog/products/s{number}")).status_code for number in range(23)]
    assert found == [404] * 2 + [301] * 20 + [200]
