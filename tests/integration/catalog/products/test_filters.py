"""Products are found by text, price, tag and currency."""

from typing import Any

import httpx
import pytest

from tests.factories.catalog import Headers, create_product, post_product
from tests.fixtures.catalog import product_names


async def test_list_products_when_searched_then_words_prefixes_and_inflections_match(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    await post_product(
        client, editor, name="Wireless/Bluetooth Headphones v2.0", description="For running and listening"
    )
    await post_product(client, editor, name="Running shoe", description="Light, made by O'Neill")
    for q in (
        "head",
        "wireless blue",
        "HEADPHONES",
        "headphone",
        "v2",
        "listens",
        "bluetooth",
        "wireless/bluetooth",
        "headphones & run",
    ):
        assert await product_names(client, q=q) == ["Wireless/Bluetooth Headphones v2.0"], q
    assert len(await product_names(client, q="run")) == 2
    assert await product_names(client, q="shoes") == ["Running shoe"]
    assert await product_names(client, q="o'neill") == ["Running shoe"]
    assert await product_names(client, q="shoe headphones") == []
    assert len(await product_names(client, q="   ")) == 2


@pytest.mark.parametrize(
    "q", ["'", "''''", "\\", "a\\", "a':*", ":*", "& | ! <-> ()", "!a", "a & ", "\x00", "a\x00b", "%", "\ufffd", "\u200b", "💥",
          "a:b:c", "x " * 100,
          "-", "...", "'a' & 'b", "<script>", "the", "http://a.b/c?d", "a@b.c", "1.5e999", "\x7f\x85\u2028"]
)  # fmt: skip
async def test_list_products_when_search_text_is_arbitrary_then_200(client: httpx.AsyncClient, q: str) -> None:
    await create_product(name="Cup")
    assert (await client.get("/catalog/products", params={"q": q})).status_code == 200


@pytest.mark.parametrize("q", ["---", "-", "...", "/", "_", "'", "+++", "&|!", "()", "-- --"])
async def test_list_products_when_the_search_text_has_no_word_then_no_product_matches(
    client: httpx.AsyncClient, q: str
) -> None:
    await create_product(name="Cup --- large & 'small'")
    assert await product_names(client, q=q) == []
    assert await product_names(client, q=f"{q} cup") == ["Cup --- large & 'small'"]


async def test_list_products_when_several_filters_are_given_then_all_apply(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    await post_product(client, editor, name="cheap", price=100, tags=["a", "b"])
    await post_product(client, editor, name="dear", price=900, tags=["b"])
    await post_product(client, editor, name="dollars", price=500, currency="USD")
    assert await product_names(client, min_price=100, max_price=100, currency="NGN") == ["cheap"]
    assert await product_names(client, min_price=101, currency="NGN") == ["dear"]
    assert await product_names(client, tag="B", sort="price", currency="NGN") == ["cheap", "dear"]
    assert await product_names(client, tag=["a", "b"]) == ["cheap"]
    assert await product_names(client, tag=["a", "b"], tag_match="any", sort="name") == ["cheap", "dear"]
    assert await product_names(client, tag=["a", "unknown"]) == []
    assert await product_names(client, tag=["a", "unknown"], tag_match="any") == ["cheap"]
    assert await product_names(client, sort="-price", currency="NGN") == ["dear", "cheap"]
    assert await product_names(client, sort="newest") == ["dollars", "dear", "cheap"]
    for params in ({"min_price": 1}, {"max_price": 1}, {"sort": "price"}, {"sort": "-price"}):
        refused = await client.get("/catalog/products", params=params)
        assert (refused.status_code, refused.json()["code"]) == (422, "currency_required")
    empty = await client.get("/catalog/products", params={"min_price": 2, "max_price": 1})
    assert (empty.status_code, empty.json()["code"]) == (422, "price_range_empty")


@pytest.mark.parametrize(
    "params",
    [{"min_price": -1}, {"max_price": 10**10}, {"min_price": "x"}, {"min_price": "1.5"}, {"sort": "stock"}, {"limit": 0}, {"limit": 101},
     {"limit": 10**9}, {"limit": 10**30}, {"tag": "\x00"}, {"q": "x" * 201}, {"currency": "EUR"}, {"cursor": "x" * 2001}]
)  # fmt: skip
async def test_list_products_when_a_parameter_is_invalid_then_422(
    client: httpx.AsyncClient, params: dict[str, Any]
) -> None:
    assert (await client.get("/catalog/products", params=params)).status_code == 422
