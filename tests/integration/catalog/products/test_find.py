"""Single products, by id or slug."""

from uuid import UUID

import httpx
import pytest

from tests.factories.catalog import Headers, post_product

UNKNOWN_ID = str(UUID(int=7))


async def test_get_product_when_addressed_by_id_or_slug_then_it_is_found(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    mug = await post_product(client, editor, description="Holds tea.", tags=["Kitchen", "blue", "kitchen"])
    assert mug["slug"] == "blue-mug"
    assert mug["tags"] == ["kitchen", "blue"]
    for url in (mug["id"], mug["id"].upper(), "blue-mug"):
        assert (await client.get(f"/catalog/products/{url}", headers=editor)).json() == mug
        shown = (await client.get(f"/catalog/products/{url}")).json()
        assert shown == {name: value for name, value in mug.items() if name != "stock"}


@pytest.mark.parametrize("url", [UNKNOWN_ID, "no-such", "%00", "%0A", "%ED%A0%80", "x" * 200, f"{UNKNOWN_ID}%0A"])
async def test_get_product_when_unknown_then_404(client: httpx.AsyncClient, url: str) -> None:
    response = await client.get(f"/catalog/products/{url}")
    assert (response.status_code, response.json()["code"]) == (404, "product_not_found")
