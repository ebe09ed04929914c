"""Orders have a number for phone calls: orders are found by it, and two orders never have the same."""

from collections.abc import Iterator

import httpx
import pytest

from services.catalog.orders import numbers
from tests.factories.catalog import Headers, create_product, place_order


async def test_order_when_placed_then_it_is_found_by_its_number_in_any_notation(
    client: httpx.AsyncClient, customer: Headers, other_customer: Headers, editor: Headers
) -> None:
    placed = (await place_order(client, customer, {await create_product(): 1})).json()
    number = placed["number"]
    assert numbers.parse_number(number) == number
    for notation in (placed["id"], number, number.lower(), number.replace("-", "")):
        for caller in (customer, editor):
            found = await client.get(f"/catalog/orders/{notation}", headers=caller)
            assert (found.status_code, found.json()["id"], found.json()["number"]) == (200, placed["id"], number)
        assert (await client.get(f"/catalog/orders/{notation}", headers=other_customer)).status_code == 404
    cancelled = await client.post(f"/catalog/orders/{number}/cancel", headers=customer)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")


async def test_order_when_a_character_of_the_number_is_wrong_then_the_answer_says_so(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    number = (await place_order(client, customer, {await create_product(): 1})).json()["number"]
    wrong = number[:-1] + next(character for character in numbers.ALPHABET if character != number[-1])
    missing = await client.get(f"/catalog/orders/{wrong}", headers=customer)
    assert (missing.status_code, missing.json()["code"]) == (404, "order_not_found")
    assert "one of its characters is wrong" in missing.json()["detail"]
    for no_key in ("7K3M", "7K3M-9QX0", "7K3M-9QXQ-2"):
        refused = await client.get(f"/catalog/orders/{no_key}", headers=customer)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), refused.text


async def test_order_when_its_random_number_is_taken_then_it_gets_another(
    client: httpx.AsyncClient, customer: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    cup, first, second = await create_product(), numbers.new_number(), numbers.new_number()
    drawn: Iterator[str] = iter([first, first, first, second])
    monkeypatch.setattr(numbers, "new_number", lambda: next(drawn))
    placed = [await place_order(client, customer, {cup: 1}) for _ in range(2)]
    assert [response.json()["number"] for response in placed] == [first, second]
    monkeypatch.setattr(numbers, "new_number", lambda: first)
    refused = await place_order(client, customer, {cup: 1})
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
