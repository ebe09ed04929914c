"""Lists of orders: a customer's own, and those of all customers for staff."""

from typing import Any

import httpx
import pytest

from tests.factories.catalog import Headers, create_order, create_product, place_order
from tests.fixtures.tokens import Signer


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


async def listed(client: httpx.AsyncClient, caller: Headers, **params: Any) -> list[str]:
    """Return the numbers of the listed orders."""
    response = await client.get("/catalog/orders", params=params, headers=caller)
    assert response.status_code == 200, response.text
    return [each["number"] for each in response.json()["items"]]


async def test_list_orders_when_staff_filter_then_the_matching_orders_of_all_customers_are_found(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    """The example of docs/catalog.md."""
    ada = signer.headers("ada", email="Ada@shop.example", name="Ada Obi")
    ben = signer.headers("ben", email="ben@shop.example", name="Ben Eze")
    staff = signer.headers("staff", scopes=frozenset({"orders:read"}))
    cup, tea = await create_product(price=5_000), await create_product(price=9_000)
    placed = [
        (await place_order(client, customer, {product: 1})).json()
        for customer, product in ((ada, cup), (ben, cup), (ben, tea))
    ]
    first, second, third = (order["number"] for order in placed)
    await client.post(f"/catalog/orders/{second}/cancel", headers=ben)
    person: dict[str, str | None] = {
        "id": "ada",
        "email": "Ada@shop.example",
        "name": "Ada Obi",
        "phone": None,
        "external_id": None,
    }
    assert placed[0]["customer"] == person
    for params, expected in (
        ({}, [third, second, first]),
        ({"sort": "oldest"}, [first, second, third]),
        ({"status": "cancelled"}, [second]),
        ({"status": ["cancelled", "pending"], "customer": "ben"}, [third, second]),
        ({"email": "ada@SHOP.example"}, [first]),
        ({"product": str(cup)}, [second, first]),
        ({"product": str(cup), "customer": "ada"}, [first]),
        ({"number": third.lower().replace("-", "")}, [third]),
        ({"min_amount": 6_000}, [third]),
        ({"max_amount": 5_000}, [second, first]),
        ({"min_amount": 5_000, "max_amount": 5_000, "currency": "NGN"}, [second, first]),
        ({"currency": "USD"}, []),
        ({"from": placed[1]["created_at"]}, [third, second]),
        ({"to": placed[1]["created_at"]}, [first]),
        ({"q": "ada"}, [first]),
        ({"q": "shop.example EZ"}, [third, second]),
        ({"q": "benjamin"}, []),
        ({"q": first}, [first]),
        ({"q": "' & !ada:* | ("}, [first]),
    ):
        assert await listed(client, staff, **params) == expected, params
    assert await listed(client, ben) == [third, second]
    for params in ({"customer": "ada"}, {"email": "ada@shop.example"}, {"q": "ada"}, {"number": first}):
        assert await listed(client, ben, **params) == [], params


@pytest.mark.parametrize("sort", ["newest", "oldest"])
async def test_list_orders_when_staff_page_through_it_then_every_order_comes_once(
    client: httpx.AsyncClient, customer: Headers, other_customer: Headers, editor: Headers, sort: str
) -> None:
    cup = await create_product()
    for number in range(7):
        await create_order(client, (customer, other_customer)[number % 2], {cup: 1})
    everything = await listed(client, editor, sort=sort)
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 3, "sort": sort, "product": str(cup)}
    while params.get("cursor", "") is not None:
        page = (await client.get("/catalog/orders", params=params, headers=editor)).json()
        seen += [each["number"] for each in page["items"]]
        params["cursor"] = page["next_cursor"]
    assert (seen, len(seen)) == (everything, 7)
    first = (await client.get("/catalog/orders", params={"limit": 3, "sort": sort}, headers=editor)).json()
    other = {"cursor": first["next_cursor"], "sort": {"newest": "oldest", "oldest": "newest"}[sort]}
    refused = await client.get("/catalog/orders", params=other, headers=editor)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "params",
    [
        {"status": "lost"},
        {"customer": "a b"},
        {"email": "nobody"},
        {"product": "cup"},
        {"number": "7K3M-9QXA"},
        {"from": "yesterday"},
        {"from": "1764000000"},
        {"to": "1026-01-01T00:00:00Z"},
        {"min_amount": -1},
        {"max_amount": 10**10},
        {"currency": "EUR"},
        {"q": "one two three four five six"},
        {"q": "..."},
        {"sort": "amount"},
    ],
)
async def test_list_orders_when_a_filter_is_invalid_then_422(
    client: httpx.AsyncClient, editor: Headers, params: dict[str, Any]
) -> None:
    response = await client.get("/catalog/orders", params=params, headers=editor)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), response.text
