"""The list of deliveries for reconciliations."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import payment_refunded, payment_succeeded
from tests.fixtures.catalog import handle_events
from tests.fixtures.tokens import Signer


async def test_deliveries_when_listed_then_they_come_by_time_without_personal_data(
    client: httpx.AsyncClient, customer: Headers, signer: Signer
) -> None:
    cup, gift = await create_product(), await create_product(price=0)
    program = signer.headers("payments", scopes=frozenset({"orders:read"}), email=None)
    ids = [await create_order(client, customer, {cup: 1}) for _ in range(4)]
    for number, order_id in enumerate(ids[:3]):
        await handle_events(payment_succeeded(order_id, f"r{number}"))
    await handle_events(
        payment_refunded(ids[1], "r1"), payment_succeeded(ids[3], "refunded"), payment_refunded(ids[3], "refunded")
    )
    free = await create_order(client, customer, {gift: 1})
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 2}
    while params.get("cursor", "") is not None:
        page = (await client.get("/catalog/deliveries", params=params, headers=program)).json()
        found += page["items"]
        params["cursor"] = page["next_cursor"]
    shown = [(UUID(each["order_id"]), each["payment_reference"], each["amount"], each["status"]) for each in found]
    assert shown[:3] == [
        (ids[0], "r0", 50_000, "delivered"),
        (ids[1], "r1", 50_000, "refunded"),
        (ids[2], "r2", 50_000, "delivered"),
    ]
    assert shown[-1] == (free, None, 0, "delivered")
    assert {frozenset(each) for each in found} == {
        frozenset({"order_id", "payment_reference", "amount", "currency", "status", "delivered_at"})
    }
    later = {"from": found[2]["delivered_at"], "to": found[-1]["delivered_at"]}
    of_period = (await client.get("/catalog/deliveries", params=later, headers=program)).json()["items"]
    assert [UUID(each["order_id"]) for each in of_period if UUID(each["order_id"]) in ids[:3]] == [ids[2]]
    named = {"reference": ["r1", "r0", "unknown"]}
    by_reference = (await client.get("/catalog/deliveries", params=named, headers=program)).json()
    assert {each["payment_reference"] for each in by_reference["items"]} == {"r0", "r1"}
    assert by_reference["next_cursor"] is None


async def test_deliveries_when_the_caller_or_a_parameter_is_wrong_then_they_are_refused(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    assert (await client.get("/catalog/deliveries", headers=customer)).status_code == 403
    for params in ({"limit": 1001}, {"from": "now"}, {"reference": ["x"] * 101}, {"reference": "a b"}):
        refused = await client.get("/catalog/deliveries", params=params, headers=editor)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), params
    forged = await client.get("/catalog/deliveries", params={"cursor": "x"}, headers=editor)
    assert (forged.status_code, forged.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("references", [[], ["r1"]])
async def test_deliveries_when_there_are_none_then_the_list_is_empty(
    client: httpx.AsyncClient, editor: Headers, references: list[str]
) -> None:
    found = await client.get("/catalog/deliveries", params={"reference": references}, headers=editor)
    assert found.json() == {"items": [], "next_cursor": None}
