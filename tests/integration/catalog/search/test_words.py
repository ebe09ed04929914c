"""The search finds words whatever their case, accents, script and English ending, corrects unknown words, and ranks the products."""

import re
import unicodedata
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.catalog.db import sessions
from tests.factories.catalog import Headers, create_product, post_product
from tests.fixtures.catalog import product_names
from tests.fixtures.seeded_catalog import count_words

NAMES = [
    "Crème brûlée", "Ọ̀pá àṣẹ", "Straße 2XL", "قَهْوَة عربية", "日本語の本", "한국어 책", "ＷＩＤＥ lens", "Vitamin C", "The Who",
    "Łódź ½", "Кофе", "O'Neill & Söhne",
]  # fmt: skip


EXAMPLES = re.findall(
    r"GET (/catalog/products\?q=vitam.*?) {2,}(.+?)(?:, with \"corrected\": \"(.*)\")?$",
    Path("docs/catalog.md").read_text(),
    re.MULTILINE,
)


@pytest.mark.parametrize(
    ("q", "name"),
    [("creme brulee", "Crème brûlée"), ("BRÛLÉE", "Crème brûlée"), (unicodedata.normalize("NFD", "crème"), "Crème brûlée"),
     ("opa ase", "Ọ̀pá àṣẹ"), ("ọpa", "Ọ̀pá àṣẹ"), ("strasse", "Straße 2XL"), ("straße", "Straße 2XL"), ("2xl", "Straße 2XL"),
     ("قهوة", "قَهْوَة عربية"), ("عربية", "قَهْوَة عربية"), ("日本語の本", "日本語の本"), ("日本", "日本語の本"), ("책", "한국어 책"),
     ("wide", "ＷＩＤＥ lens"), ("vita", "Vitamin C"), ("c", "Vitamin C"), ("c vita", "Vitamin C"), ("lenses", "ＷＩＤＥ lens"),
     ("the", "The Who"), ("vitamin the", "Vitamin C"), ("lodz", "Łódź ½"), ("кофе", "Кофе"), ("o'neill", "O'Neill & Söhne"),
     ("neill | sohne", "O'Neill & Söhne"), ("!sohne", "O'Neill & Söhne"), ("vitamin\x00c", "Vitamin C"),
     ("v", None), ("vita c", None), ("本", None), ("the who creme", "Crème brûlée"), ("x" * 200, None), ("💥", None), ("vitamin:*d", None)]
)  # fmt: skip
async def test_list_products_when_searched_then_accents_case_scripts_and_operators_do_not_matter(
    client: httpx.AsyncClient, q: str, name: str | None
) -> None:
    for each in NAMES:
        await create_product(name=each)
    assert await product_names(client, q=q) == ([] if name is None else [name])


@pytest.mark.parametrize(
    ("q", "status"),
    [("one two three four five", 200), ("one two three four five six", 422), ("one-two-three-four-five-six", 422),
     ("the a of to in on", 422), ("the shirt with a blue collar", 200), ("the one two three four five six", 422),
     ("one one one one one one", 200), ("", 200), ("  ", 200)]
)  # fmt: skip
async def test_list_products_when_the_search_text_has_more_than_five_words_then_422(
    client: httpx.AsyncClient, q: str, status: int
) -> None:
    await create_product(name="Cup")
    response = await client.get("/catalog/products", params={"q": q})
    assert response.status_code == status
    if status == 422:
        assert response.json()["code"] == "too_many_words"


async def test_list_products_when_sorted_by_relevance_then_names_are_before_descriptions(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    await post_product(client, editor, name="Wooden cup", description="Made of oak")
    await post_product(client, editor, name="Saucer", description="For a wooden cup")
    await post_product(client, editor, name="Cup of wood", description="A cup for tea, our best cup")
    await post_product(client, editor, name="Spoon")
    by_relevance = ["Cup of wood", "Wooden cup", "Saucer"]
    assert await product_names(client, q="cup") == by_relevance
    assert await product_names(client, q="cup", sort="newest") == ["Cup of wood", "Saucer", "Wooden cup"]
    assert await product_names(client, sort="relevance") == ["Spoon", "Cup of wood", "Saucer", "Wooden cup"]
    found = []
    params: dict[str, Any] = {"q": "cup", "limit": 1}
    for _ in range(3):
        page = (await client.get("/catalog/products", params=params)).json()
        found += [item["name"] for item in page["items"]]
        params["cursor"] = page["next_cursor"]
    assert found == by_relevance
    assert page["next_cursor"] is None
    assert "ranked_newest" not in page


@pytest.mark.parametrize(
    ("q", "ranked"),
    [("wooden cup", 2000), ("cu", 4000)],
    ids=["the index finds the words", "too many words begin with the last one"],
)
async def test_list_products_when_there_are_too_many_matches_to_rank_then_the_list_has_as_many_as_it_says(
    client: httpx.AsyncClient, q: str, ranked: int
) -> None:
    insert = text(
        "INSERT INTO products (id, slug, name, price, currency)"
        " SELECT gen_random_uuid(), 'cup-' || n, 'Wooden cup cu' || n, 100, 'NGN' FROM generate_series(1, 4100) n"
    )
    async with sessions.begin() as session:
        await session.execute(insert)
    await count_words()
    found: set[str] = set()
    params: dict[str, Any] = {"q": q, "limit": 100}
    while "cursor" not in params or params["cursor"] is not None:
        page = (await client.get("/catalog/products", params=params)).json()
        assert page["ranked_newest"] == ranked
        found |= {item["slug"] for item in page["items"]}
        params["cursor"] = page["next_cursor"]
    assert found == {f"cup-{number}" for number in range(4101 - ranked, 4101)}


async def test_list_products_when_no_product_has_a_word_then_the_nearest_known_word_is_searched(
    client: httpx.AsyncClient,
) -> None:
    for name in ("Vitamin C", "Wireless headphones", "Vitamin D"):
        await create_product(name=name)
    await count_words()

    async def search(q: str) -> tuple[str | None, list[str]]:
        page = (await client.get("/catalog/products", params={"q": q, "sort": "name"})).json()
        return page.get("corrected"), [item["name"] for item in page["items"]]

    assert await search("vitamn") == ("vitamin", ["Vitamin C", "Vitamin D"])
    assert await search("wirelss hedphones") == ("wireless headphones", ["Wireless headphones"])
    assert await search("vitamin") == (None, ["Vitamin C", "Vitamin D"])
    assert await search("wireless vitamin") == (None, [])
    assert await search("qqqqq") == (None, [])
    await create_product(name="Vitamn")  # not counted yet: it is found nevertheless
    assert await search("vitamn") == (None, ["Vitamn"])


async def test_list_products_when_corrected_then_the_next_page_continues(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await create_product(name=f"Vitamin {number}")
    await count_words()
    first = (await client.get("/catalog/products", params={"q": "vitamn", "limit": 2})).json()
    params = {"q": "vitamn", "limit": 2, "cursor": first["next_cursor"]}
    second = (await client.get("/catalog/products", params=params)).json()
    assert [item["name"] for item in first["items"] + second["items"]] == ["Vitamin 2", "Vitamin 1", "Vitamin 0"]
    assert (second["corrected"], second["next_cursor"]) == ("vitamin", None)


async def test_list_products_when_the_example_of_the_documentation_is_searched_then_it_is_right(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    for name, tags in (("Sun cream with vitamin D", ["strong"]), ("Vitamin C", []), ("Vitamin D forte", ["strong"])):
        await post_product(client, editor, name=name, tags=tags)
    await count_words()
    assert len(EXAMPLES) == 4
    for url, names, corrected in EXAMPLES:
        page = (await client.get(url)).json()
        assert ", ".join(item["name"] for item in page["items"]) == names, url
        assert page.get("corrected", "") == corrected
