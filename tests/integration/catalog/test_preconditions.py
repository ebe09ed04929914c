"""`If-Match` is honoured for categories and variants too, if it is sent."""

import httpx
import pytest

from tests.factories.catalog import Headers, post_product


async def category(client: httpx.AsyncClient, editor: Headers) -> tuple[str, str]:
    """Create a category. Return its path, and the path that has its ETag."""
    created = await client.post("/catalog/categories", json={"name": "Lamp"}, headers=editor)
    path = f"/catalog/categories/{created.json()['id']}"
    assert created.headers["etag"] == (await client.get(path)).headers["etag"]
    return path, path


async def variant(client: httpx.AsyncClient, editor: Headers) -> tuple[str, str]:
    """Create a variant. Return its path, and the path of its product, which has the ETag."""
    shirt = await post_product(client, editor, name="Shirt", stock=None, options=["size"])
    product = f"/catalog/products/{shirt['id']}"
    made = await client.post(f"{product}/variants", json={"options": {"size": "M"}}, headers=editor)
    return f"/catalog/variants/{made.json()['id']}", product


@pytest.mark.parametrize(("create", "change"), [(category, {"name": "Lamps"}), (variant, {"prices": {"NGN": 7}})])
async def test_change_when_if_match_is_stale_then_412_and_nothing_changes(
    client: httpx.AsyncClient, editor: Headers, create: type, change: dict[str, object]
) -> None:
    path, source = await create(client, editor)
    first = (await client.get(source)).headers["etag"]
    changed = await client.patch(path, json=change, headers=editor | {"If-Match": first})
    second = (await client.get(source)).headers["etag"]
    assert (changed.status_code, second == first) == (200, False)
    assert changed.headers.get("etag", second) == second
    for stale in (first, "x", '"2"'):
        for method, body in (("PATCH", change), ("DELETE", None)):
            refused = await client.request(method, path, json=body, headers=editor | {"If-Match": stale})
            assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert (await client.get(source)).headers["etag"] == second
    assert (await client.patch(path, json=change, headers=editor)).status_code == 200
    assert (await client.delete(path, headers=editor | {"If-Match": "*"})).status_code == 204
