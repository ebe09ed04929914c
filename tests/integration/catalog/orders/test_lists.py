"""Lists of a customer's own orders."""

from typing import Any

import httpx

from tests.factories.catalog import Headers, create_order, create_product


async def test_list_orders_when_paged_and_filtered_then_own_orders_come_newest_first(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup, tea = await create_product(), await create_product()
    ids = [str(await create_order(client, customer, {cup: 1, tea: 2})) for _ in range(5)]
    await client.post(f"/catalog/orders/{ids[0]}/cancel", headers=customer)
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while params.get("cursor", "") is not None:
        page = (await client.get("/catalog/orders", params=params, headers=customer)).json()
        seen += [each["id"] for each in page["items"]]
        assert all(len(each["items"]) == 2 for each in page["items"])
        params["cursor"] = page["next_cursor"]
    assert seen == ids[::-1]
    cancelled = await client.get("/catalog/orders", params={"status": "cancelled"}, headers=customer)
    assert [each["id"] for each in cancelled.json()["items"]] == ids[:1]
    forged = await client.get("/catalog/orders", params={"cursor": "WyJvcmRlcnMiLDEsIngiXQ"}, headers=customer)
    assert (forged.status_code, forged.json()["code"]) == (400, "invalid_cursor")


async def test_list_orders_when_orders_are_large_then_a_page_has_at_most_1000_items(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    products = [await create_product() for _ in range(50)]
    large = dict.fromkeys(products, 1)
    ids = [str(await create_order(client, customer, large)) for _ in range(21)]
    ids += [str(await create_order(client, customer, {products[0]: 1})) for _ in range(5)]
    pages: list[list[dict[str, Any]]] = []
    params: dict[str, Any] = {"limit": 100}
    while params.get("cursor", "") is not None:
        page = (await client.get("/catalog/orders", params=params, headers=customer)).json()
        pages.append(page["items"])
        params["cursor"] = page["next_cursor"]
    assert [each["id"] for page in pages for each in page] == ids[::-1]
    assert [len(page) for page in pages] == [5 + 19, 2]
    assert [sum(len(each["items"]) for each in page) for page in pages] == [5 + 19 * 50, 100]
