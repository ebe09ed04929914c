"""Products have links to pictures, in sequence and with alternative texts."""

from typing import Any

import httpx
import pytest

from tests.factories.catalog import ANY_VERSION, MUG, Headers, post_product

FRONT = {"url": "https://cdn.example.com/mug/front.jpg?w=800", "alt": "The mug from the front"}
BACK = {"url": "https://cdn.example.com:8443/mug/back.jpg", "alt": "The mug from the back"}


async def test_media_when_given_then_the_sequence_is_kept_and_a_change_replaces_it(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    mug = await post_product(client, editor, media=[FRONT, BACK])
    url = f"/catalog/products/{mug['id']}"
    assert mug["media"] == (await client.get(url)).json()["media"] == [FRONT, BACK]
    assert (await client.get("/catalog/products")).json()["items"][0]["media"] == [FRONT, BACK]
    changed = await client.patch(url, json={"media": [BACK]}, headers=editor | ANY_VERSION)
    assert (changed.status_code, changed.json()["media"]) == (200, [BACK])
    assert (await client.patch(url, json={"price": 7}, headers=editor | ANY_VERSION)).json()["media"] == [BACK]
    assert (await post_product(client, editor))["media"] == []


@pytest.mark.parametrize(
    "media",
    [[FRONT] * 21, [{"url": FRONT["url"]}], [FRONT | {"alt": ""}], [FRONT | {"alt": "x" * 201}], [FRONT | {"size": 1}], "x",
     *([FRONT | {"url": url}] for url in ("", "http://a.b/c", "https://", "https://user:password@a.b/c", "javascript:alert(1)",
                                          "https://a.b/c d", "https://a.b/\x00", "https://a.b/" + "x" * 2000, "//a.b/c"))]
)  # fmt: skip
async def test_media_when_invalid_then_422(client: httpx.AsyncClient, editor: Headers, media: Any) -> None:
    refused = await client.post("/catalog/products", json=MUG | {"media": media}, headers=editor)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
