"""Every POST of catalog honours the header `Idempotency-Key`."""

import json
from uuid import uuid4

import httpx

from dev import PROJECT
from tests.factories.catalog import Headers, create_order, create_product, post_product
from tests.fixtures.catalog import stock_of


def test_every_post_accepts_an_idempotency_key() -> None:
    document = json.loads((PROJECT / "docs" / "openapi" / "catalog.json").read_text())
    posts = {path: methods["post"] for path, methods in document["paths"].items() if "post" in methods}
    without = [
        path
        for path, operation in posts.items()
        if "Idempotency-Key" not in {each["name"] for each in operation.get("parameters", ())}
    ]
    assert (len(posts) >= 7, without) == (True, [])


async def test_create_variant_when_the_key_is_repeated_then_there_is_one(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    shirt = await post_product(client, editor, name="Shirt", stock=None, options=["size"])
    url, body = f"/catalog/products/{shirt['id']}/variants", {"options": {"size": "M"}}
    headers = editor | {"Idempotency-Key": uuid4().hex}
    first, second = [await client.post(url, json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code, second.json()) == (201, 201, first.json())
    other = await client.post(url, json={"options": {"size": "L"}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await client.get(url)).json()["items"]) == 1


async def test_cancel_when_the_key_is_repeated_then_the_first_response_is_returned(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(5)
    order = await create_order(client, customer, {cup: 2})
    headers = customer | {"Idempotency-Key": uuid4().hex}
    first, second = [await client.post(f"/catalog/orders/{order}/cancel", headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code, second.json()) == (200, 200, first.json())
    assert await stock_of(cup) == 5
