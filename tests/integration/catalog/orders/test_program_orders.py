"""A program orders for its own customers: who may do that, who sees the orders, and what is limited."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.catalog.orders import limits
from services.catalog.settings import settings
from tests.factories.catalog import Headers, create_product, place_order
from tests.fixtures.programs import BOTH, CHIDI, program_headers
from tests.fixtures.tokens import ADMIN, Signer


@pytest.fixture
def merchant(signer: Signer) -> Headers:
    return program_headers(signer)


async def listed(client: httpx.AsyncClient, headers: Headers, **params: str) -> list[str]:
    """Return the ids of the orders that a list has."""
    answer = await client.get("/catalog/orders", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


async def test_program_orders_for_its_customer_and_sees_the_order(client: httpx.AsyncClient, merchant: Headers) -> None:
    cup = await create_product(5)
    placed = await place_order(client, merchant, {cup: 1}, "k-1", customer=CHIDI)
    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert (order["customer_id"], order["customer"]) == ("merchant", {"id": "merchant", **CHIDI})
    assert (await place_order(client, merchant, {cup: 1}, "k-1", customer=CHIDI)).json() == order
    shown = await client.get(f"/catalog/orders/{order['id']}", headers=merchant)
    assert shown.json()["customer"] == order["customer"]
    only_email = await place_order(client, merchant, {cup: 1}, customer={"email": "eve@example.com"})
    expected = {"id": "merchant", "email": "eve@example.com", "name": None, "phone": None, "external_id": None}
    assert only_email.json()["customer"] == expected
    assert (await client.post(f"/catalog/orders/{order['id']}/cancel", headers=merchant)).json()[
        "status"
    ] == "cancelled"


async def test_program_does_not_see_the_orders_of_another_program(
    client: httpx.AsyncClient, signer: Signer, merchant: Headers, editor: Headers
) -> None:
    other, cup = program_headers(signer, "other-shop"), await create_product()
    mine = (await place_order(client, merchant, {cup: 1}, customer=CHIDI)).json()["id"]
    theirs = (await place_order(client, other, {cup: 1}, customer=CHIDI)).json()["id"]
    assert await listed(client, merchant) == await listed(client, merchant, external_id="c-1017") == [mine]
    assert await listed(client, other, external_id="c-1017") == [theirs]
    for method, path in (("GET", ""), ("POST", "/cancel"), ("DELETE", "/address"), ("GET", "/fulfilments")):
        answer = await client.request(method, f"/catalog/orders/{theirs}{path}", headers=merchant)
        assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found"), (method, path)
    staff = signer.headers(scopes=ADMIN)
    assert await listed(client, staff, external_id="c-1017") == [theirs, mine]
    assert await listed(client, staff, external_id="c-1017", customer="merchant") == [mine]
    assert await listed(client, merchant, external_id="c-1018") == []
    assert await listed(client, merchant, email="CHIDI@example.com") == [mine]


async def test_customer_is_refused_without_the_scope_and_required_with_it(
    client: httpx.AsyncClient, signer: Signer, customer: Headers
) -> None:
    cup = await create_product()
    for headers in (customer, signer.headers(scopes=ADMIN), signer.headers(email=None)):
        refused = await place_order(client, headers, {cup: 1}, customer=CHIDI)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        assert "orders:write_for" in refused.json()["detail"]
    only_payments = program_headers(signer, scopes=frozenset({"payments:write_for"}))
    assert (await place_order(client, only_payments, {cup: 1}, customer=CHIDI)).status_code == 403
    missing = await place_order(client, program_headers(signer), {cup: 1})
    assert (missing.status_code, missing.json()["code"]) == (422, "customer_required")
    assert await listed(client, program_headers(signer)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"email": None},
        {"email": "chidi"},
        {"email": f"{'c' * 200}@example.com"},
        {"name": ""},
        {"name": "a\nb"},
        {"phone": "none"},
        {"external_id": "with space"},
        {"external_id": "x" * 201},
        {"id": "x"},
    ],
)
async def test_customer_that_is_not_valid_is_refused(
    client: httpx.AsyncClient, merchant: Headers, changes: dict[str, Any]
) -> None:
    refused = await place_order(client, merchant, {await create_product(): 1}, customer=CHIDI | changes)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "customer" in refused.json()["detail"]


async def test_limits_count_for_each_customer_of_a_program(
    client: httpx.AsyncClient, signer: Signer, merchant: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"catalog_max_pending_orders": 2, "catalog_max_reserved_share": 0.5}
    monkeypatch.setattr(limits, "settings", settings.model_copy(update=changes))
    cup = await create_product(100)
    by_id = {"email": "a@example.com", "external_id": "c-1"}
    same_id = {"email": "b@example.com", "external_id": "c-1"}
    by_email, same_email = {"email": "d@example.com"}, {"email": "D@EXAMPLE.com"}

    async def answers(headers: Headers, quantity: int, *customers: dict[str, Any]) -> list[str | None]:
        return [
            (await place_order(client, headers, {cup: quantity}, customer=each)).json().get("code")
            for each in customers
        ]

    # The id counts if there is one, and otherwise the address.
    assert await answers(merchant, 1, by_id, same_id, by_id) == [None, None, "too_many_pending_orders"]
    assert await answers(merchant, 1, by_email, same_email, by_email) == [None, None, "too_many_pending_orders"]
    assert await answers(merchant, 1, {"email": "a@example.com"}) == [None]
    assert await answers(program_headers(signer, "other-shop"), 1, by_id) == [None]
    large = {"email": "e@example.com", "external_id": "c-2"}
    assert await answers(merchant, 30, large, large) == [None, "reservation_limit_reached"]
    assert await answers(merchant, 30, {"email": "e@example.com", "external_id": "c-3"}) == [None]


async def test_program_that_invents_a_customer_for_each_of_40_orders_at_once_places_exactly_as_many_as_its_limit(
    client: httpx.AsyncClient, signer: Signer, merchant: Headers, customer: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    lowered = settings.model_copy(update={"catalog_max_pending_orders_per_program": 10})
    monkeypatch.setattr(limits, "settings", lowered)
    cup, at_once = await create_product(None), asyncio.Semaphore(15)

    async def order(headers: Headers, number: int) -> httpx.Response:
        person = {"email": f"{number}@example.com", "external_id": f"c-{number}"}
        async with at_once:
            return await place_order(client, headers, {cup: 1}, customer=person)

    answers = await asyncio.gather(*(order(merchant, number) for number in range(40)))
    assert Counter(answer.status_code for answer in answers) == {201: 10, 409: 30}
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert (refused["code"], refused["limit"]) == ("too_many_pending_orders_of_program", 10)
    assert "The program merchant has 10 pending orders of all its customers" in refused["detail"]
    # Others are not affected, and a cancelled order makes room for one.
    assert (await order(program_headers(signer, "other-shop"), 1)).status_code == 201
    assert (await place_order(client, customer, {cup: 1})).status_code == 201
    placed = next(answer.json() for answer in answers if answer.status_code == 201)
    assert (await client.post(f"/catalog/orders/{placed['id']}/cancel", headers=merchant)).status_code == 200
    assert [(await order(merchant, number)).status_code for number in (40, 41)] == [201, 409]


async def test_orders_of_a_program_from_one_address_are_not_those_of_guests(
    client: httpx.AsyncClient, merchant: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GUEST_ORDERS_PER_LIMIT_ADDRESS", 1)
    cup = await create_product()
    for number in range(3):
        placed = await place_order(client, merchant, {cup: 1}, customer={"email": f"{number}@example.com"})
        assert placed.status_code == 201, placed.text


async def test_token_with_the_scope_for_payments_only_reads_the_orders_of_its_program_and_cannot_cancel_them(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    cup = await create_product()
    order = UUID((await place_order(client, program_headers(signer), {cup: 1}, customer=CHIDI)).json()["id"])
    only_payments = program_headers(signer, scopes=frozenset({"payments:write_for"}))
    assert (await client.get(f"/catalog/orders/{order}", headers=only_payments)).status_code == 200
    assert (await client.post(f"/catalog/orders/{order}/cancel", headers=only_payments)).status_code == 403
    stranger = signer.headers(str(uuid4()), scopes=BOTH - {"payments:write_for"})
    assert (await client.get(f"/catalog/orders/{order}", headers=stranger)).status_code == 404
