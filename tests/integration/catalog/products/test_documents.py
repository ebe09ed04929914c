"""Postgres writes the JSON of products: it has the schema of the OpenAPI document and the values of the rows."""

from copy import deepcopy
from typing import Any
from uuid import UUID

import httpx
import jsonschema_rs
import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from services.catalog.app import app
from services.catalog.db import sessions
from services.catalog.models import Product
from services.catalog.products.schemas import ProductView
from tests.factories.catalog import Headers, post_product

TEXT = 'Größe "M" \\ </script> 日本語 👩‍👧'
EVERYTHING: dict[str, Any] = {
    "name": TEXT,
    "description": f"{TEXT}\n\t\u2028",
    "stock": 3,
    "low_stock": 4,
    "tags": ["späte", 'a "quote"'],
    "media": [
        {"url": "https://cdn.example.com/1.jpg", "alt": TEXT},
        {"url": "https://cdn.example.com/2.jpg", "alt": "2"},
    ],
}
PRODUCTS: list[dict[str, Any]] = [EVERYTHING, {"stock": None}, {"options": ["size", TEXT[:9]], "stock": None}]


def exact_schema(name: str) -> jsonschema_rs.Validator:
    """Return a validator for a schema of the OpenAPI document. It refuses members that the schema does not name."""
    components = deepcopy(app.openapi()["components"]["schemas"])
    for schema in components.values():
        if schema.get("type") == "object" and "properties" in schema:
            schema["additionalProperties"] = False
    document = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": components}}
    return jsonschema_rs.validator_for(document)


async def expected(product_id: str, stock: int | None) -> dict[str, Any]:
    """Return the values of a product's row, in the types of ProductView."""
    async with sessions() as session:
        query = select(Product).where(Product.id == UUID(product_id)).options(selectinload(Product.tags))
        product = (await session.execute(query)).scalar_one()
    columns = {name: getattr(product, name) for name in ProductView.model_fields if hasattr(product, name)}
    availability = "out" if stock == 0 else "low" if stock is not None and stock <= product.low_stock else "in_stock"
    return columns | {"tags": [tag.name for tag in product.tags], "availability": availability, "stock": stock}


@pytest.mark.parametrize("changes", PRODUCTS)
async def test_json_of_a_product_when_read_then_it_has_the_schema_and_the_values_of_the_row(
    client: httpx.AsyncClient, editor: Headers, changes: dict[str, Any]
) -> None:
    category = (await client.post("/catalog/categories", json={"name": "Cups"}, headers=editor)).json()
    created = await post_product(client, editor, category_id=category["id"], **changes)
    stock = 0 if "options" in changes else changes["stock"]
    values = await expected(created["id"], stock)
    one, page = exact_schema("ProductView"), exact_schema("ProductPage")
    for headers, params in (({}, {}), ({}, {"include": "stock"}), (editor, {})):
        found = (await client.get(f"/catalog/products/{created['id']}", headers=headers, params=params)).json()
        one.validate(found)
        assert ProductView.model_validate(found).model_dump() == values | ({} if "stock" in found else {"stock": None})
        assert ("stock" in found) == bool(headers or params)
    for headers in ({}, editor):
        listed = (await client.get("/catalog/products", headers=headers)).json()
        page.validate(listed)
        one_product = await client.get(f"/catalog/products/{created['id']}", headers=headers)
        assert listed["items"] == [one_product.json()]
    assert created == (await client.get(f"/catalog/products/{created['id']}", headers=editor)).json()


async def test_json_of_categories_and_tags_when_listed_then_it_has_the_schema(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    above = (await client.post("/catalog/categories", json={"name": "A", "slug": "a"}, headers=editor)).json()
    child = {"name": TEXT, "slug": "b", "parent_id": above["id"]}
    await client.post("/catalog/categories", json=child, headers=editor)
    await post_product(client, editor, tags=["b", "ä"])
    for noun, schema, names in (("categories", "CategoryPage", ["A", TEXT]), ("tags", "TagPage", ["b", "ä"])):
        params: dict[str, str | int] = {"limit": 1}
        for name in names:
            page = (await client.get(f"/catalog/{noun}", params=params)).json()
            exact_schema(schema).validate(page)
            assert [item["name"] for item in page["items"]] == [name]
            params["cursor"] = page["next_cursor"] or ""
        assert page["next_cursor"] is None
